import { once } from 'node:events'
import type { AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { JwksAuthError, unavailableRefusal } from '../errors.ts'
import { LookUpBudget } from './unknown-kid-limiter.ts'
import type { VerificationKey } from './jwk.ts'
import type * as KeySets from './jwk-set.ts'
import { KnownKeys, type KeyStatus, type KnownKeysOptions } from './jwks-state.ts'

/** Times are milliseconds. */
export interface RemoteKeysOptions extends KnownKeysOptions {
  /** Fetches the issuer's JWK Set: one look-up, whatever it takes to get there. */
  readonly fetchKeys: (signal: AbortSignal) => Promise<unknown>
  /** The time for which unknown kids share their budget of look-ups. */
  readonly cooldown: number
  /** A monotonic clock. */
  readonly now?: () => number
}

type Found = VerificationKey | undefined

/** With get-jwks and all that it brings along: not before the first look-up, and while the issuer is thinking. */
let keySets: typeof KeySets | undefined

async function loadKeySets(): Promise<typeof KeySets> {
  /* c8 ignore next -- not this line but what tsx puts into it: a function for modules that came from CommonJS */
  keySets = await import('./jwk-set.ts')
  return keySets
}

/** Rejects with the reason when the signal fires, so that no look-up lasts for longer, whatever becomes of its fetch. */
async function endOf(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort')
  throw new Error(String(signal.reason))
}

/**
 * The keys of one issuer: who may cause a look-up, and who waits for it. No timer runs between look-ups; all is
 * decided when a key is asked for.
 */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions
  readonly #now: () => number
  readonly #budget: LookUpBudget
  readonly #known: KnownKeys
  /** The look-up in flight, at most one. It tells whether there was a good answer, and never rejects. */
  #lookingUp: Promise<boolean> | undefined
  #abort: AbortController | undefined
  #closed = false

  constructor(options: RemoteKeysOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#budget = new LookUpBudget(options.cooldown)
    this.#known = new KnownKeys(options)
  }

  /**
   * The key for a `kid` and an algorithm, undefined where the issuer has none, or where a token names none: at once
   * where nobody has to be asked.
   *
   * @throws {JwksAuthError} `jwks_unavailable`
   */
  find(kid: unknown, alg: AsymmetricAlgorithm): Found | Promise<Found> {
    if (typeof kid !== 'string') return this.#known.noKid()
    const now = this.#now()
    const set = this.#known.usable(now)
    if (set?.has(kid)) {
      if (this.#known.isRefreshDue(now)) void this.#lookUp()
      return this.#known.keyOf(set, kid, alg, now)
    }
    return this.#isLeftUnknown(kid, now) ? this.#known.noKey(kid) : this.#lookFor(kid, alg)
  }

  /** Until when `find` finds the same as now, by the clock, unless keys are removed before. */
  get settledUntil(): number {
    return this.#known.settledUntil
  }

  /**
   * Of an issuer that can't be reached it begins the look-up that is due: a server that gets no traffic because it
   * has no keys would otherwise never have any.
   */
  status(): KeyStatus {
    const now = this.#now()
    const { outage } = this.#known
    if (outage.isOn && outage.mayRetry(now)) void this.#lookUp()
    return this.#known.status(now)
  }

  /** Sees to it that keys are known. */
  async prefetch(): Promise<void> {
    if (this.#known.usable(this.#now()) || (await this.#lookUp())) return
    throw new Error(`fastify-jwks-auth: no keys of ${this.#options.issuer}: ${this.#known.outage.reason}`)
  }

  /** Ends the look-up in flight; there will be no other. */
  close(): void {
    this.#closed = true
    this.#abort?.abort('closed')
  }

  /** Whether the budget of unknown kids is spent, while there is nothing to wait for. */
  #isLeftUnknown(kid: string, now: number): boolean {
    const { outage } = this.#known
    if (this.#lookingUp || outage.isOn || !this.#known.usable(now)) return false
    return !this.#budget.allows(kid, now)
  }

  async #lookFor(kid: string, alg: AsymmetricAlgorithm): Promise<Found> {
    if (this.#lookingUp) {
      if (!(await this.#lookingUp)) return this.#findInOutage(kid, alg)
      // It was asked before this token came, so its answer may just miss the key that the token names.
      if (this.#known.latest!.has(kid)) return this.#known.latest!.find(kid, alg)
    }
    const now = this.#now()
    if (this.#isLeftUnknown(kid, now)) return this.#known.noKey(kid)
    if (!this.#lookingUp && !this.#known.outage.mayRetry(now)) return this.#findInOutage(kid, alg)
    const isUnknown = this.#known.latest !== undefined && !this.#known.latest.has(kid)
    if (!(await this.#lookUp(isUnknown ? kid : undefined))) return this.#findInOutage(kid, alg)
    const set = this.#known.latest!
    return set.has(kid) ? set.find(kid, alg) : this.#known.noKey(kid)
  }

  #findInOutage(kid: string, alg: AsymmetricAlgorithm): Found {
    const now = this.#now()
    const set = this.#known.usableInOutage(now)
    if (set?.has(kid)) return this.#known.keyOf(set, kid, alg, now)
    throw new JwksAuthError(unavailableRefusal(this.#known.outage.retryAfter(now)))
  }

  #lookUp(unknownKid?: string): Promise<boolean> {
    this.#lookingUp ??= this.#fetch(unknownKid).finally(() => {
      this.#lookingUp = undefined
    })
    return this.#lookingUp
  }

  async #fetch(unknownKid: string | undefined): Promise<boolean> {
    if (this.#closed) return false
    const { issuer, fetchKeys, timeout } = this.#options
    const askedAt = this.#now()
    const abort = (this.#abort = new AbortController())
    const deadline = setTimeout(() => abort.abort('timeout'), timeout)
    try {
      const [document, { KeySet }] = await Promise.race([
        Promise.all([fetchKeys(abort.signal), keySets ?? loadKeySets()]),
        endOf(abort.signal),
      ])
      const set = new KeySet(document, issuer, this.#known.latest)
      this.#known.learn(set, askedAt, this.#now())
      if (unknownKid !== undefined) this.#budget.spend(unknownKid, askedAt)
      return true
    } catch (error) {
      const { message, skipped = [] } = error as Error & Partial<KeySets.UnusableKeySet>
      if (!this.#closed) this.#known.failed(message, skipped, askedAt, this.#now())
      return false
    } finally {
      clearTimeout(deadline)
    }
  }
}
