import { elapsedTime } from '../clock.ts'
import { JwksAuthError, jwksUnavailable } from '../errors.ts'
import type { MaybePromise } from '../hook.ts'
import type { AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import type { Log } from '../log.ts'
import type { VerificationKey } from './jwk.ts'
import type { JwkSet } from './jwk-set.ts'
import { FetchLimiter } from './fetch-limiter.ts'
import { JwksFetcher, type JwksFetcherOptions } from './jwks-fetcher.ts'
import { JwksReporter } from './jwks-reporter.ts'
import { JwksState, type JwksStateOptions, type KeyStatus } from './jwks-state.ts'

/** Times are milliseconds. */
export interface RemoteJwksOptions extends JwksStateOptions, JwksFetcherOptions {
  /** The time in which unknown `kid`s share their limit of fetches, and failed signatures theirs. */
  readonly cooldown: number
  readonly log: Log
  /** A clock that is never set back. */
  readonly now?: () => number
}

/** The number of fetches that all unknown `kid`s of an issuer may cause in one cooldown. */
const maxUnknownKids = 2
/** The same for tokens whose signature fails. */
const maxFailedSignatures = 1

/** The keys that may have signed a token, or why there are none. */
export type KeyResult =
  | {
      /** Empty if the issuer's keys with the `kid` of the token are for other algorithms, or malformed. */
      readonly keys: readonly VerificationKey[]
      /** The age of the keys, if they are used beyond the refresh interval because of an outage. */
      readonly staleAge: number | undefined
    }
  | {
      /**
       * - `no-kid`: the token has no `kid`, and the issuer does not have exactly one key for its algorithm.
       * - `kid`: the issuer has no key with this `kid`, as far as is known.
       */
      readonly missing: 'no-kid' | 'kid'
    }

/**
 * The keys of one issuer: when they are fetched, and which requests wait for it. There are no timers between fetches. Everything is
 * decided when a key is requested.
 */
export class RemoteJwks {
  readonly #options: RemoteJwksOptions
  readonly #now: () => number
  readonly #unknownKids: FetchLimiter
  readonly #failedSignatures: FetchLimiter
  readonly #state: JwksState
  readonly #reporter: JwksReporter
  readonly #fetcher: JwksFetcher

  constructor(options: RemoteJwksOptions) {
    this.#options = options
    this.#now = options.now ?? elapsedTime
    this.#unknownKids = new FetchLimiter(options.cooldown, maxUnknownKids)
    this.#failedSignatures = new FetchLimiter(options.cooldown, maxFailedSignatures)
    this.#state = new JwksState(options)
    this.#reporter = new JwksReporter(options.issuer, options.log)
    this.#fetcher = new JwksFetcher(options, {
      state: this.#state,
      reporter: this.#reporter,
      unknownKids: this.#unknownKids,
      failedSignatures: this.#failedSignatures,
      now: this.#now,
    })
  }

  /**
   * Finds the keys for a `kid` and an algorithm. The result is a promise only if a fetch has to be waited for.
   *
   * @throws {JwksAuthError} `jwks_unavailable`
   */
  find(kid: unknown, alg: AsymmetricAlgorithm): MaybePromise<KeyResult> {
    const result = this.#lookup(kid, alg)
    return result instanceof Promise
      ? result.then((found) => this.#report(kid, found))
      : this.#report(kid, result)
  }

  /**
   * Finds keys that were published under a known `kid` since `tried` were found, none of which verified a signature. All such signatures
   * together cause one fetch per cooldown. During an outage they cause none.
   */
  findReplacement(
    kid: string | undefined,
    alg: AsymmetricAlgorithm,
    tried: readonly VerificationKey[],
  ): MaybePromise<readonly VerificationKey[]> {
    if (this.#state.backoff.active || !(this.#fetcher.inFlight || this.#mayRefetch(kid))) return []
    return this.#fetchReplacement(kid, alg, tried)
  }

  /** Until when the result of `find` for a known key stays the same, unless there is an update before. */
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
    if (backoff.active && backoff.mayRetry(now)) void this.#fetcher.fetch()
    return this.#state.status(now)
  }

  /** Fetches the keys unless they are known. */
  async prefetch(): Promise<void> {
    if (this.#state.usable(this.#now()) || (await this.#fetcher.fetch())) return
    // Keys of a store.
    if (this.#state.usableInOutage(this.#now())) return
    throw new Error(`fastify-jwks-auth: no keys of ${this.#options.issuer}: ${this.#state.backoff.reason}`)
  }

  /** Aborts the fetch in flight and prevents others. */
  close(): void {
    this.#fetcher.close()
  }

  #lookup(kid: unknown, alg: AsymmetricAlgorithm): MaybePromise<KeyResult> {
    if (kid !== undefined && typeof kid !== 'string') return { missing: 'kid' }
    const now = this.#now()
    const set = this.#state.usable(now)
    const result = findIn(set, kid, alg, this.#state.staleAge(now))
    if ('missing' in result) return this.#isRefused(kid, now) ? result : this.#fetchFor(kid, alg)
    if (this.#state.isRefreshDue(now)) void this.#fetcher.fetch()
    return result
  }

  #report(kid: unknown, result: KeyResult): KeyResult {
    if ('keys' in result) {
      const [key] = result.keys
      if (key && result.staleAge !== undefined) this.#reporter.servedStale(key.kid, result.staleAge)
    } else if (result.missing === 'no-kid') this.#reporter.missingKid()
    else if (typeof kid === 'string') this.#reporter.unknownKid(kid)
    return result
  }

  /** Whether an unknown `kid` is refused without waiting. With a store, another process may have learnt it. */
  #isRefused(kid: string | undefined, now: number): boolean {
    return !this.#fetcher.isShared && !this.#fetcher.inFlight && this.#isLimited(kid, now)
  }

  /** Whether an unknown `kid` causes no fetch, because the limit is reached and no fetch is needed for another reason. */
  #isLimited(kid: string | undefined, now: number): boolean {
    if (this.#state.backoff.active || !this.#state.usable(now)) return false
    return !this.#unknownKids.allows(kid, now)
  }

  async #fetchFor(kid: string | undefined, alg: AsymmetricAlgorithm): Promise<KeyResult> {
    if (this.#fetcher.inFlight) {
      if (!(await this.#fetcher.inFlight)) return this.#findInOutage(kid, alg)
      // That fetch started before this token came, so its answer may miss a key that was published in between.
      const result = findIn(this.#state.current, kid, alg)
      if ('keys' in result) return result
    }
    const now = this.#now()
    if (this.#isRefused(kid, now)) return findIn(this.#state.current, kid, alg)
    if (!this.#fetcher.inFlight && !this.#state.backoff.mayRetry(now)) return this.#findInOutage(kid, alg)
    const isUnknown = (): boolean =>
      this.#state.current !== undefined && 'missing' in findIn(this.#state.current, kid, alg)
    let isCounted = isUnknown()
    const fetched = await this.#fetcher.fetch({
      isMet: () => {
        isCounted = isUnknown()
        return !isCounted || this.#isLimited(kid, this.#now())
      },
      count: () => {
        if (isCounted) this.#unknownKids.add(kid, now)
      },
    })
    return fetched ? findIn(this.#state.current, kid, alg) : this.#findInOutage(kid, alg)
  }

  #mayRefetch(kid: string | undefined): boolean {
    return this.#failedSignatures.allows(kid, this.#now())
  }

  async #fetchReplacement(
    kid: string | undefined,
    alg: AsymmetricAlgorithm,
    tried: readonly VerificationKey[],
  ): Promise<readonly VerificationKey[]> {
    const findNew = (): readonly VerificationKey[] =>
      this.#state.current!.find(kid, alg).filter((key) => !tried.includes(key))
    // As above, the answer of a fetch in flight may be too old.
    await this.#fetcher.inFlight
    const keys = findNew()
    if (keys.length > 0 || this.#state.backoff.active || !this.#mayRefetch(kid)) return keys
    await this.#fetcher.fetch({
      isMet: () => findNew().length > 0 || !this.#mayRefetch(kid),
      count: () => this.#failedSignatures.add(kid, this.#now()),
    })
    return findNew()
  }

  #findInOutage(kid: string | undefined, alg: AsymmetricAlgorithm): KeyResult {
    const now = this.#now()
    const result = findIn(this.#state.usableInOutage(now), kid, alg, this.#state.staleAge(now))
    if ('keys' in result) return result
    throw new JwksAuthError(jwksUnavailable(this.#state.backoff.retryAfter(now)))
  }
}

function findIn(
  set: JwkSet | undefined,
  kid: string | undefined,
  alg: AsymmetricAlgorithm,
  staleAge?: number,
): KeyResult {
  if (kid !== undefined && !set?.has(kid)) return { missing: 'kid' }
  const keys = set?.find(kid, alg) ?? []
  return kid === undefined && keys.length === 0 ? { missing: 'no-kid' } : { keys, staleAge }
}
