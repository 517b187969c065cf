import type { AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { kidForDisplay } from '../channels.ts'
import type { SkippedKey, VerificationKey } from './jwk.ts'
import type { KeySet } from './jwk-set.ts'
import { Outage } from './backoff.ts'
import { KeyReport, type Log } from './jwks-reporter.ts'

/** Times are milliseconds. */
export interface KnownKeysOptions {
  readonly issuer: string
  /** How old the knowledge of a key may get while its issuer answers. */
  readonly refreshInterval: number
  /** How long after the last good answer known keys work while the issuer does not answer. */
  readonly maxStale: number
  /** How long one look-up may take. */
  readonly timeout: number
  readonly log: Log
  /** Told of keys that the issuer no longer publishes. */
  readonly onRemoved?: (keys: readonly VerificationKey[]) => void
}

/** What is known of the keys of an issuer, for a readiness route or a dashboard. */
export interface KeyStatus {
  /** As it is configured. */
  readonly issuer: string
  /**
   * - `idle`: no keys are known, or old ones, and nobody has needed them: they are fetched for the next token.
   * - `fresh`: known, and younger than `jwks.refreshInterval`.
   * - `stale`: known and older, since the issuer can't be reached; they work until `jwks.maxStale`.
   * - `unavailable`: the issuer can't be reached, and no key is known that may still be used.
   */
  readonly state: 'idle' | 'fresh' | 'stale' | 'unavailable'
  /** The `kid`s of the keys that are known, cut to 64 characters. */
  readonly kids: readonly string[]
  /** Milliseconds since the last good answer was asked for; undefined before the first. */
  readonly age: number | undefined
  /** Why the issuer can't be reached, where it can't. */
  readonly reason: string | undefined
}

/** Under traffic keys are refreshed from this part of the interval on, so that nobody has to wait for it. */
const refreshAhead = 0.75

/** What is known of an issuer's keys, and how long it may be used. Every time that it takes is one of one clock. */
export class KnownKeys {
  readonly outage: Outage
  readonly #options: KnownKeysOptions
  readonly #interval: number
  readonly #outageInterval: number
  readonly #report: KeyReport
  #set: KeySet | undefined
  /** When the answer that is known was asked for. */
  #askedAt = -Infinity

  constructor(options: KnownKeysOptions) {
    const { issuer, refreshInterval, maxStale, timeout, log } = options
    this.#options = options
    // Stale keys are those older than the interval, so it can't be longer than they may live. 0 means none.
    this.#interval = maxStale > 0 ? Math.min(refreshInterval, maxStale) : refreshInterval
    this.#report = new KeyReport(issuer, log)
    this.outage = new Outage(this.#interval)
    // Under traffic the issuer is asked again at least this often.
    this.#outageInterval = Math.min(this.#interval, this.outage.longestDelay + timeout)
  }

  /** The last good answer, whatever its age. */
  get latest(): KeySet | undefined {
    return this.#set
  }

  /** Until when the last good answer needs no refresh. */
  get settledUntil(): number {
    return this.#askedAt + this.#interval * refreshAhead
  }

  /**
   * What is known may be used while it is fresh. During an outage it is the knowledge of the outage that has to be
   * fresh: after idleness the issuer is asked again before its old keys are believed.
   */
  usable(now: number): KeySet | undefined {
    const age = now - this.#askedAt
    if (age < this.#interval) return this.#set
    return now - this.outage.lastFailureAt < this.#outageInterval && age < this.#options.maxStale
      ? this.#set
      : undefined
  }

  /** For a request that has just learned of the outage, however long ago the last failure is by now. */
  usableInOutage(now: number): KeySet | undefined {
    return now - this.#askedAt < this.#options.maxStale ? this.#set : undefined
  }

  isRefreshDue(now: number): boolean {
    return now >= this.settledUntil && this.outage.mayRetry(now)
  }

  /** A key of a set that may be used. */
  keyOf(set: KeySet, kid: string, alg: AsymmetricAlgorithm, now: number): VerificationKey | undefined {
    const key = set.find(kid, alg)
    const age = now - this.#askedAt
    if (key && age >= this.#interval) this.#report.servedStale(kid, age)
    return key
  }

  /** No key: the issuer has none of this `kid`, or might have one and is not asked. */
  noKey(kid: string): undefined {
    this.#report.unknownKid(kid)
    return undefined
  }

  /** No key, since the token does not say which. */
  noKid(): undefined {
    this.#report.tokenWithoutKid()
    return undefined
  }

  learn(set: KeySet, askedAt: number, now: number): void {
    const removed = this.#set ? set.missing(this.#set) : []
    this.#set = set
    this.#askedAt = askedAt
    this.outage.ended()
    this.#options.onRemoved?.(removed)
    this.#report.fetched(set, removed, now - askedAt)
  }

  /** @param skipped - The keys of an answer in which none can be used. */
  failed(reason: string, skipped: readonly SkippedKey[], askedAt: number, now: number): void {
    this.outage.failed(now, reason)
    this.#report.failed(reason, skipped, now - askedAt)
  }

  status(now: number): KeyStatus {
    return {
      issuer: this.#options.issuer,
      state: this.#state(now),
      kids: (this.#set?.kids ?? []).map((kid) => kidForDisplay(kid)),
      age: this.#set && now - this.#askedAt,
      reason: this.outage.isOn ? this.outage.reason : undefined,
    }
  }

  #state(now: number): KeyStatus['state'] {
    const age = now - this.#askedAt
    if (age < this.#interval) return 'fresh'
    if (!this.outage.isOn) return 'idle'
    return age < this.#options.maxStale ? 'stale' : 'unavailable'
  }
}
