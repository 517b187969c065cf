/** The number of fetches that all unknown `kid`s of an issuer may cause in one cooldown. */
const limit = 2

/**
 * Limits the fetches that tokens with unknown `kid`s cause. Each `kid` causes at most one of them. So a client
 * that repeats one `kid` leaves the other fetch to a newly published key. Tokens without a kid count as one `kid`.
 */
export class UnknownKidLimiter {
  readonly #cooldown: number
  #fetches: { kid: string | undefined; at: number }[] = []

  /** @param cooldown - Milliseconds; 0 for no limit. */
  constructor(cooldown: number) {
    this.#cooldown = cooldown
  }

  allows(kid: string | undefined, now: number): boolean {
    this.#fetches = this.#fetches.filter(({ at }) => now - at < this.#cooldown)
    return this.#fetches.length < limit && this.#fetches.every((fetch) => fetch.kid !== kid)
  }

  /** Counts a fetch. */
  add(kid: string | undefined, now: number): void {
    this.#fetches.push({ kid, at: now })
  }
}
