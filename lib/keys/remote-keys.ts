import { isDeepStrictEqual } from 'node:util'
import type { AsymmetricAlgorithm } from '../algorithms.ts'
import { JwksAuthError, unavailableRefusal } from '../errors.ts'
import { LookUpBudget } from './budget.ts'
import type { VerificationKey } from './key.ts'
import { KeySet } from './key-set.ts'
import { Outage } from './outage.ts'

/** Where the log lines go: a pino logger, or anything like it. */
export interface Log {
  warn(details: object, message: string): void
  info(details: object, message: string): void
}

/** Times are milliseconds. */
export interface RemoteKeysOptions {
  readonly issuer: string
  /** Fetches the issuer's JWK Set: one look-up, whatever it takes to get there. */
  readonly fetchKeys: (signal: AbortSignal) => Promise<unknown>
  /** How old the knowledge of a key may get while its issuer answers. */
  readonly refreshInterval: number
  /** How long after the last good answer known keys work while the issuer does not answer. */
  readonly maxStale: number
  /** The time for which unknown kids share their budget of look-ups. */
  readonly cooldown: number
  /** How long one look-up may take. */
  readonly timeout: number
  readonly log: Log
  /** A monotonic clock. */
  readonly now?: () => number
}

type Found = VerificationKey | undefined

/** Under traffic keys are refreshed from this part of the interval on, so that nobody has to wait for it. */
const refreshAhead = 0.75

/**
 * The keys of one issuer: how fresh they are, who may cause a look-up, and what holds while the issuer is out.
 * No timer runs between look-ups; all is decided when a key is asked for.
 */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions
  readonly #interval: number
  readonly #outageInterval: number
  readonly #now: () => number
  readonly #budget: LookUpBudget
  readonly #outage: Outage
  #set: KeySet | undefined
  /** When the answer that is known was asked for. */
  #askedAt = -Infinity
  /** The look-up in flight, at most one. It tells whether there was a good answer, and never rejects. */
  #lookingUp: Promise<boolean> | undefined
  #abort: AbortController | undefined
  #closed = false

  constructor(options: RemoteKeysOptions) {
    const { refreshInterval, maxStale, cooldown, timeout, now = () => performance.now() } = options
    this.#options = options
    // Stale keys are those older than the interval, so it can't be longer than they may live. 0 means none.
    this.#interval = maxStale > 0 ? Math.min(refreshInterval, maxStale) : refreshInterval
    this.#now = now
    this.#budget = new LookUpBudget(cooldown)
    this.#outage = new Outage(this.#interval)
    // Under traffic the issuer is asked again at least this often.
    this.#outageInterval = Math.min(this.#interval, this.#outage.longestDelay + timeout)
  }

  /**
   * The key for a `kid` and an algorithm: at once where it is known and fresh, undefined where the issuer has none.
   *
   * @throws {JwksAuthError} `jwks_unavailable`
   */
  find(kid: string, alg: AsymmetricAlgorithm): Found | Promise<Found> {
    const now = this.#now()
    const set = this.#usableSet(now)
    if (!set?.has(kid)) return this.#lookFor(kid, alg)
    if (now - this.#askedAt >= this.#interval * refreshAhead && this.#outage.mayRetry(now)) {
      void this.#lookUp()
    }
    return set.find(kid, alg)
  }

  /** Sees to it that keys are known. */
  async prefetch(): Promise<void> {
    if (this.#usableSet(this.#now()) || (await this.#lookUp())) return
    throw new Error(`fastify-jwks-auth: no keys of ${this.#options.issuer}: ${this.#outage.reason}`)
  }

  /** Ends the look-up in flight; there will be no other. */
  close(): void {
    this.#closed = true
    this.#abort?.abort('closed')
  }

  /**
   * What is known may be used while it is fresh. During an outage it is the knowledge of the outage that has to be
   * fresh: after idleness the issuer is asked again before its old keys are believed.
   */
  #usableSet(now: number): KeySet | undefined {
    const age = now - this.#askedAt
    if (age < this.#interval) return this.#set
    return now - this.#outage.lastFailureAt < this.#outageInterval && age < this.#options.maxStale
      ? this.#set
      : undefined
  }

  async #lookFor(kid: string, alg: AsymmetricAlgorithm): Promise<Found> {
    if (this.#lookingUp) {
      if (!(await this.#lookingUp)) return this.#findDuringOutage(kid, alg)
      // It was asked before this token came, so its answer may just miss the key that the token names.
      if (this.#set!.has(kid)) return this.#set!.find(kid, alg)
    }
    const now = this.#now()
    const unknownKid = this.#usableSet(now) && kid
    if (!this.#lookingUp) {
      if (!this.#outage.mayRetry(now)) return this.#findDuringOutage(kid, alg)
      if (unknownKid !== undefined && !this.#outage.isOn && !this.#budget.allows(kid, now)) return undefined
    }
    return (await this.#lookUp(unknownKid)) ? this.#set!.find(kid, alg) : this.#findDuringOutage(kid, alg)
  }

  /** For a request that has just learned of the outage, however long ago the last failure is by now. */
  #findDuringOutage(kid: string, alg: AsymmetricAlgorithm): Found {
    const now = this.#now()
    const set = now - this.#askedAt < Math.max(this.#interval, this.#options.maxStale) ? this.#set : undefined
    if (set?.has(kid)) return set.find(kid, alg)
    throw new JwksAuthError(unavailableRefusal(this.#outage.retryAfter(now)))
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
      const set = new KeySet(await fetchKeys(abort.signal), issuer, this.#set)
      this.#learn(set, askedAt)
      if (unknownKid !== undefined) this.#budget.spend(unknownKid, askedAt)
      return true
    } catch (error) {
      this.#fail((error as Error).message)
      return false
    } finally {
      clearTimeout(deadline)
    }
  }

  #learn(set: KeySet, askedAt: number): void {
    const { issuer, log } = this.#options
    if (this.#outage.isOn) log.info({ issuer }, 'the issuer answers again')
    this.#outage.ended()
    if (set.skipped.length > 0 && !isDeepStrictEqual(set.skipped, this.#set?.skipped)) {
      log.warn(
        { issuer, keys: set.skipped.slice(0, 20) },
        `${set.skipped.length} of the issuer's keys are not used`,
      )
    }
    this.#set = set
    this.#askedAt = askedAt
  }

  #fail(reason: string): void {
    if (this.#closed) return
    const { issuer, log } = this.#options
    if (!this.#outage.isOn) log.warn({ issuer, reason }, "the issuer's keys can't be fetched")
    this.#outage.failed(this.#now(), reason)
  }
}
