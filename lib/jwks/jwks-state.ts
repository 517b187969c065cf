import { truncateKid } from '../channels.ts'
import { Backoff } from './backoff.ts'
import type { VerificationKey } from './jwk.ts'
import type { JwkSet } from './jwk-set.ts'

/** Times are milliseconds. */
export interface JwksStateOptions {
  readonly issuer: string
  /** Maximum age of keys while the issuer can be reached. */
  readonly refreshInterval: number
  /** How long keys are used after the last good answer while the issuer can't be reached. */
  readonly maxStale: number
  /** Maximum time of a fetch. */
  readonly timeout: number
}

/** The state of an issuer's keys, for a readiness route or a dashboard. */
export interface KeyStatus {
  /** As it is configured. */
  readonly issuer: string
  /**
   * - `idle`: no keys are known, or they are too old because no token came. The next token fetches them.
   * - `fresh`: known, and younger than `jwks.refreshInterval`.
   * - `stale`: known and older, because the issuer can't be reached. They work until `jwks.maxStale`.
   * - `unavailable`: the issuer can't be reached, and no known key may be used any more.
   */
  readonly state: 'idle' | 'fresh' | 'stale' | 'unavailable'
  /** The `kid`s of the known keys, cut to 64 characters. */
  readonly kids: readonly string[]
  /** Milliseconds since the last good answer was requested, by whichever process. Undefined before the first. */
  readonly age: number | undefined
  /** With `jwks.store`: whether the last good answer came from the issuer, or from another process through the store. */
  readonly source?: 'issuer' | 'store'
  /** Why the issuer can't be reached. Undefined if the last fetch succeeded. */
  readonly reason: string | undefined
}

/** Under traffic, keys are refreshed after this part of the interval, so that no request has to wait. */
const refreshAhead = 0.75
/** After this part of the interval it is noticed that another process has not refreshed the keys. */
const refreshRetry = 0.05

/** The last good answer of an issuer, and how long it may be used. All times are readings of one clock that is never set back. */
export class JwksState {
  readonly backoff: Backoff
  readonly #options: JwksStateOptions
  readonly #interval: number
  readonly #outageInterval: number
  /** The last good answer of any age. */
  current: JwkSet | undefined
  /** When the last good answer was requested. */
  #fetchedAt = -Infinity
  #refreshAt = -Infinity
  #source: { source?: 'issuer' | 'store' } = {}

  constructor(options: JwksStateOptions) {
    const { refreshInterval, maxStale, timeout } = options
    this.#options = options
    // Keys older than the interval are stale, so the interval can't be longer than maxStale. 0 turns stale keys off.
    this.#interval = maxStale > 0 ? Math.min(refreshInterval, maxStale) : refreshInterval
    this.backoff = new Backoff(this.#interval)
    // Under traffic the issuer is asked again at least this often.
    this.#outageInterval = Math.min(this.#interval, this.backoff.maxDelay + timeout)
  }

  /** Until when the last good answer needs no refresh. */
  get freshUntil(): number {
    return this.#refreshAt
  }

  /** How long a set can be used at most. */
  get maxAge(): number {
    return Math.max(this.#interval, this.#options.maxStale)
  }

  isFresh(now: number): boolean {
    return now - this.#fetchedAt < this.#interval
  }

  /**
   * The set, while it is fresh. During an outage the last failure must be recent: after idle time the issuer is asked again before
   * old keys are used.
   */
  usable(now: number): JwkSet | undefined {
    const age = now - this.#fetchedAt
    if (age < this.#interval) return this.current
    return now - this.backoff.lastFailureAt < this.#outageInterval && age < this.#options.maxStale
      ? this.current
      : undefined
  }

  /** The set, for a request that has just waited for a failed fetch. */
  usableInOutage(now: number): JwkSet | undefined {
    return now - this.#fetchedAt < this.#options.maxStale ? this.current : undefined
  }

  /** The age of the set, if it is older than the refresh interval. */
  staleAge(now: number): number | undefined {
    const age = now - this.#fetchedAt
    return age < this.#interval ? undefined : age
  }

  isRefreshDue(now: number): boolean {
    return now >= this.#refreshAt && this.backoff.mayRetry(now)
  }

  /** Leaves the refresh to another process for a while. */
  postponeRefresh(now: number): void {
    this.#refreshAt = Math.min(now + this.#interval * refreshRetry, this.#fetchedAt + this.#interval)
  }

  /** @returns The keys that the issuer no longer publishes. */
  update(set: JwkSet, fetchedAt: number, source?: 'issuer' | 'store'): VerificationKey[] {
    const removed = this.current ? set.removedSince(this.current) : []
    this.current = set
    this.#source = source === undefined ? {} : { source }
    this.#fetchedAt = fetchedAt
    this.#refreshAt = fetchedAt + this.#interval * refreshAhead
    // Keys from a store may be older than the outage.
    if (fetchedAt >= this.backoff.lastFailureAt) this.backoff.reset()
    return removed
  }

  status(now: number): KeyStatus {
    return {
      issuer: this.#options.issuer,
      state: this.#stateAt(now),
      kids: (this.current?.kids ?? []).map((kid) => truncateKid(kid)),
      age: this.current && now - this.#fetchedAt,
      ...this.#source,
      reason: this.backoff.active ? this.backoff.reason : undefined,
    }
  }

  #stateAt(now: number): KeyStatus['state'] {
    const age = now - this.#fetchedAt
    if (age < this.#interval) return 'fresh'
    if (!this.backoff.active) return 'idle'
    return age < this.#options.maxStale ? 'stale' : 'unavailable'
  }
}
