/** Milliseconds. The first retry is immediate. Later delays double from the first to the maximum. */
const firstDelay = 250
const maxDelay = 10_000

/** The state of an outage: whether the last fetch failed, why, and when the next one may start. */
export class Backoff {
  /** The maximum delay between two fetches in milliseconds. */
  readonly maxDelay: number
  /** The cause of the last failure, fit for a log. */
  reason = ''
  lastFailureAt: number = -Infinity
  #failures = 0
  #retryAt = -Infinity

  /** @param refreshInterval - Milliseconds. Delays are at most half of it, so that a recovery is noticed within it. */
  constructor(refreshInterval: number) {
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

  /** Jitter takes up to half of a delay, so that many servers don't return to an issuer at the same time. */
  failed(now: number, reason: string): void {
    const delay = this.#failures === 0 ? 0 : Math.min(this.maxDelay, firstDelay * 2 ** (this.#failures - 1))
    this.#failures += 1
    this.lastFailureAt = now
    this.#retryAt = now + delay * (1 - Math.random() / 2)
    this.reason = reason
  }

  reset(): void {
    this.#failures = 0
    this.lastFailureAt = -Infinity
    this.#retryAt = -Infinity
  }
}
