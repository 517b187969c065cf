/** Milliseconds. One retry is free; then the delay doubles from the first to the longest. */
const firstDelay = 250
const longestDelay = 10_000

/** What is known of an issuer that gives no good answer: since when, why, and when it may be asked again. */
export class Outage {
  /** How long retries are apart, at most. */
  readonly longestDelay: number
  #failures = 0
  #failedAt = -Infinity
  #retryAt = -Infinity
  #reason = ''

  /** @param refreshInterval - Milliseconds; retries are never so rare that a recovery goes unseen for longer. */
  constructor(refreshInterval: number) {
    this.longestDelay = Math.min(longestDelay, refreshInterval / 2)
  }

  get isOn(): boolean {
    return this.#failures > 0
  }

  /** Fit for a log line. */
  get reason(): string {
    return this.#reason
  }

  get lastFailureAt(): number {
    return this.#failedAt
  }

  mayRetry(now: number): boolean {
    return now >= this.#retryAt
  }

  /** For `Retry-After`: whole seconds, at least 1. */
  retryAfter(now: number): number {
    return Math.max(1, Math.ceil((this.#retryAt - now) / 1000))
  }

  /** Jitter takes up to half of a delay, so that many servers don't come back to an issuer in step. */
  failed(now: number, reason: string): void {
    const delay =
      this.#failures === 0 ? 0 : Math.min(this.longestDelay, firstDelay * 2 ** (this.#failures - 1))
    this.#failures += 1
    this.#failedAt = now
    this.#retryAt = now + delay * (1 - Math.random() / 2)
    this.#reason = reason
  }

  ended(): void {
    this.#failures = 0
    this.#failedAt = -Infinity
    this.#retryAt = -Infinity
  }
}
