import { createHash } from 'node:crypto'

/** A fetch that a token has caused. */
export interface CountedFetch {
  /** A hash of the token's `kid`. */
  readonly kid: string
  readonly at: number
}

/**
 * Limits the fetches that tokens cause. Each `kid` causes at most one of them. So a client that repeats one `kid` leaves the
 * other fetches to a newly published key. Tokens without a kid count as one `kid`.
 */
export class FetchLimiter {
  readonly #cooldown: number
  readonly #limit: number
  #fetches: CountedFetch[] = []

  /**
   * @param cooldown - Milliseconds; 0 for no limit.
   * @param limit - The number of fetches in one cooldown.
   */
  constructor(cooldown: number, limit: number) {
    this.#cooldown = cooldown
    this.#limit = limit
  }

  allows(kid: string | undefined, now: number): boolean {
    const fetches = this.recent(now)
    return fetches.length < this.#limit && fetches.every((fetch) => fetch.kid !== hash(kid))
  }

  /** Counts a fetch. */
  add(kid: string | undefined, now: number): void {
    this.merge([{ kid: hash(kid), at: now }])
  }

  /**
   * Counts fetches of other processes.
   *
   * @param offset - Added to their times.
   */
  merge(fetches: readonly CountedFetch[], offset = 0): void {
    for (const { kid, at } of fetches) {
      this.#fetches = [...this.#fetches.filter((fetch) => fetch.kid !== kid), { kid, at: at + offset }]
    }
  }

  /**
   * The fetches in the last cooldown.
   *
   * @param offset - Added to their times.
   */
  recent(now: number, offset = 0): CountedFetch[] {
    this.#fetches = this.#fetches.filter(({ at }) => now - at < this.#cooldown)
    return this.#fetches.map(({ kid, at }) => ({ kid, at: at + offset }))
  }
}

/** A hash has the same length for every `kid`, and a store that processes share doesn't hold what clients have sent. */
function hash(kid = ''): string {
  return createHash('sha256').update(kid).digest('base64url')
}
