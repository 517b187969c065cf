import { once } from 'node:events'
import { JwksAuthError, jwksUnavailable } from '../errors.ts'
import type { MaybePromise } from '../hook.ts'
import type { AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import type { Log } from '../log.ts'
import type { FetchError } from './fetch-error.ts'
import type { VerificationKey } from './jwk.ts'
import type * as JwkSets from './jwk-set.ts'
import { JwksReporter } from './jwks-reporter.ts'
import { JwksState, type JwksStateOptions, type KeyStatus } from './jwks-state.ts'
import { UnknownKidLimiter } from './unknown-kid-limiter.ts'

/** Times are milliseconds. */
export interface RemoteJwksOptions extends JwksStateOptions {
  /** Fetches the issuer's JWK Set, discovery included. */
  readonly fetchJwks: (signal: AbortSignal) => Promise<unknown>
  /** The time in which unknown `kid`s share their limit of fetches. */
  readonly cooldown: number
  readonly log: Log
  /** Called with the keys that the issuer no longer publishes. */
  readonly onRemoved?: (keys: readonly VerificationKey[]) => void
  /** A monotonic clock. */
  readonly now?: () => number
}

/** The key for a token, or why there is none. */
export type KeyResult =
  | {
      readonly key: VerificationKey
      /** The age of the key, if it is used beyond the refresh interval because of an outage. */
      readonly staleAge: number | undefined
    }
  | {
      /**
       * - `no-kid`: the token has no `kid`.
       * - `kid`: the issuer has no key with this `kid`, as far as is known.
       * - `alg`: the issuer's key with this `kid` is for another algorithm, or malformed.
       */
      readonly missing: 'no-kid' | 'kid' | 'alg'
    }

/** Loaded by the first fetch, while the issuer prepares its answer: get-jwks has many dependencies. */
let jwkSets: typeof JwkSets | undefined

async function loadJwkSets(): Promise<typeof JwkSets> {
  /* c8 ignore next -- tsx adds a helper function for modules that came from CommonJS to this line */
  jwkSets = await import('./jwk-set.ts')
  return jwkSets
}

/** Rejects when the signal fires, so that waiting has an end even if the fetch ignores the signal. */
async function abortOf(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort')
  throw new Error(String(signal.reason))
}

/**
 * The keys of one issuer: when they are fetched, and which requests wait for it. There are no timers between fetches. Everything is
 * decided when a key is requested.
 */
export class RemoteJwks {
  readonly #options: RemoteJwksOptions
  readonly #now: () => number
  readonly #limiter: UnknownKidLimiter
  readonly #state: JwksState
  readonly #reporter: JwksReporter
  /** The fetch in flight, at most one. It resolves to whether there was a good answer, and never rejects. */
  #fetching: Promise<boolean> | undefined
  #abort: AbortController | undefined
  #closed = false

  constructor(options: RemoteJwksOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#limiter = new UnknownKidLimiter(options.cooldown)
    this.#state = new JwksState(options)
    this.#reporter = new JwksReporter(options.issuer, options.log)
  }

  /**
   * Finds the key for a `kid` and an algorithm. The result is a promise only if a fetch has to be waited for.
   *
   * @throws {JwksAuthError} `jwks_unavailable`
   */
  find(kid: unknown, alg: AsymmetricAlgorithm): MaybePromise<KeyResult> {
    const result = this.#lookup(kid, alg)
    return result instanceof Promise
      ? result.then((found) => this.#report(kid, found))
      : this.#report(kid, result)
  }

  /** Until when the result of `find` for a known key stays the same, unless the key is removed before. */
  get freshUntil(): number {
    return this.#state.freshUntil
  }

  /**
   * Starts the next fetch if the issuer can't be reached and the fetch is due. Otherwise a server that gets no traffic because it is
   * not ready would never have keys.
   */
  status(): KeyStatus {
    const now = this.#now()
    const { backoff } = this.#state
    if (backoff.active && backoff.mayRetry(now)) void this.#fetch()
    return this.#state.status(now)
  }

  /** Fetches the keys unless they are known. */
  async prefetch(): Promise<void> {
    if (this.#state.usable(this.#now()) || (await this.#fetch())) return
    throw new Error(`fastify-jwks-auth: no keys of ${this.#options.issuer}: ${this.#state.backoff.reason}`)
  }

  /** Aborts the fetch in flight and prevents others. */
  close(): void {
    this.#closed = true
    this.#abort?.abort('closed')
  }

  #lookup(kid: unknown, alg: AsymmetricAlgorithm): MaybePromise<KeyResult> {
    if (typeof kid !== 'string') return { missing: 'no-kid' }
    const now = this.#now()
    const set = this.#state.usable(now)
    if (set?.has(kid)) {
      if (this.#state.isRefreshDue(now)) void this.#fetch()
      return findIn(set, kid, alg, this.#state.staleAge(now))
    }
    return this.#isLimited(kid, now) ? { missing: 'kid' } : this.#fetchFor(kid, alg)
  }

  #report(kid: unknown, result: KeyResult): KeyResult {
    if ('key' in result) {
      if (result.staleAge !== undefined) this.#reporter.servedStale(result.key.kid, result.staleAge)
    } else if (result.missing === 'no-kid') this.#reporter.missingKid()
    else if (result.missing === 'kid') this.#reporter.unknownKid(kid as string)
    return result
  }

  /** Whether an unknown `kid` causes no fetch, because the limit is reached and no fetch is needed for another reason. */
  #isLimited(kid: string, now: number): boolean {
    if (this.#fetching || this.#state.backoff.active || !this.#state.usable(now)) return false
    return !this.#limiter.allows(kid, now)
  }

  async #fetchFor(kid: string, alg: AsymmetricAlgorithm): Promise<KeyResult> {
    if (this.#fetching) {
      if (!(await this.#fetching)) return this.#findInOutage(kid, alg)
      // That fetch started before this token came, so its answer may miss a key that was published in between.
      if (this.#state.current!.has(kid)) return findIn(this.#state.current!, kid, alg)
    }
    const now = this.#now()
    if (this.#isLimited(kid, now)) return { missing: 'kid' }
    if (!this.#fetching && !this.#state.backoff.mayRetry(now)) return this.#findInOutage(kid, alg)
    const isUnknown = this.#state.current !== undefined && !this.#state.current.has(kid)
    if (!(await this.#fetch(isUnknown ? kid : undefined))) return this.#findInOutage(kid, alg)
    return findIn(this.#state.current!, kid, alg)
  }

  #findInOutage(kid: string, alg: AsymmetricAlgorithm): KeyResult {
    const now = this.#now()
    const set = this.#state.usableInOutage(now)
    if (set?.has(kid)) return findIn(set, kid, alg, this.#state.staleAge(now))
    throw new JwksAuthError(jwksUnavailable(this.#state.backoff.retryAfter(now)))
  }

  /** @param unknownKid - Counts the fetch for this `kid`. */
  #fetch(unknownKid?: string): Promise<boolean> {
    this.#fetching ??= this.#fetchOnce(unknownKid).finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetchOnce(unknownKid: string | undefined): Promise<boolean> {
    if (this.#closed) return false
    const { issuer, fetchJwks, timeout, onRemoved } = this.#options
    const startedAt = this.#now()
    const abort = (this.#abort = new AbortController())
    const deadline = setTimeout(() => abort.abort('timeout'), timeout)
    try {
      const [document, { JwkSet }] = await Promise.race([
        Promise.all([fetchJwks(abort.signal), jwkSets ?? loadJwkSets()]),
        abortOf(abort.signal),
      ])
      const set = new JwkSet(document, issuer, this.#state.current)
      const removed = this.#state.update(set, startedAt)
      onRemoved?.(removed)
      this.#reporter.fetched(set, removed, this.#now() - startedAt)
      if (unknownKid !== undefined) this.#limiter.add(unknownKid, startedAt)
      return true
    } catch (error) {
      const {
        message,
        skipped = [],
        retryAfter,
      } = error as Error & Partial<JwkSets.UnusableJwkSet & FetchError>
      if (this.#closed) return false
      const now = this.#now()
      this.#state.backoff.failed(now, message, retryAfter)
      this.#reporter.fetchFailed(message, skipped, now - startedAt)
      return false
    } finally {
      clearTimeout(deadline)
    }
  }
}

function findIn(set: JwkSets.JwkSet, kid: string, alg: AsymmetricAlgorithm, staleAge?: number): KeyResult {
  if (!set.has(kid)) return { missing: 'kid' }
  const key = set.find(kid, alg)
  return key ? { key, staleAge } : { missing: 'alg' }
}
