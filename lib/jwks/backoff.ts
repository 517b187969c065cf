/** Milliseconds. The first retry is immediate. Later delays double from the first to the maximum. */
const firstDelay = 250
const maxDelay = 10_000

/** The state of an outage: whether the last fetch failed, why, and when the next one may start. */
export class Backoff {
  /** The maximum delay between two fetches in milliseconds, unless the issuer asks for a longer one. */
  readonly maxDelay: number
  readonly #maxRetryAfter: number
  /** The cause of the last failure, fit for a log. */
  reason = ''
  lastFailureAt: number = -Infinity
  #failures = 0
  #retryAt = -Infinity

  /**
   * @param refreshInterval - Milliseconds. Delays are at most half of it, so that a recovery is noticed within it. A `Retry-After` of
   * the issuer may be as long.
   */
  constructor(refreshInterval: number) {
    this.#maxRetryAfter = refreshInterval
    this.maxDelay = Math.min(maxDelay, refreshInterval / 2)
  }

  /** Whether the last fetch failed. */
  get active(): boolean {
    return this.#failures > 0
  }

  mayRetry(now: number): boolean {
    return now >= this.#retryAt
  }

  /** For `Retry-After`: whole seconds, at least 1. */
  retryAfter(now: number): number {
    return Math.max(1, Math.ceil((this.#retryAt - now) / 1000))
  }

  /**
   * Jitter takes up to half of a delay, so that many servers don't return to an issuer at the same time.
   *
   * @param retryAfter - The shortest delay that the issuer asked for, in milliseconds.
   */
  failed(now: number, reason: string, retryAfter = 0): void {
    const delay = this.#failures === 0 ? 0 : Math.min(this.maxDelay, firstDelay * 2 ** (this.#failures - 1))
    this.#failures += 1
    this.lastFailureAt = now
    const jittered = delay * (1 - Math.random() / 2)
    this.#retryAt = now + Math.max(jittered, Math.min(retryAfter, this.#maxRetryAfter))
    this.reason = reason
  }

  reset(): void {
    this.#failures = 0
    this.lastFailureAt = -Infinity
    this.#retryAt = -Infinity
  }
}
