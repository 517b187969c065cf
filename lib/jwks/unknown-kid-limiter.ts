/** How many look-ups all unknown kids of an issuer may cause within one cooldown. */
const limit = 2

/**
 * Keeps strangers' kids from becoming the issuer's load. A kid that was looked for counts against itself: asked
 * again and again it causes one look-up, and leaves the other to the key that was just published.
 */
export class LookUpBudget {
  readonly #cooldown: number
  #spent: { kid: string; at: number }[] = []

  /** @param cooldown - Milliseconds; 0 for no bound. */
  constructor(cooldown: number) {
    this.#cooldown = cooldown
  }

  allows(kid: string, now: number): boolean {
    this.#spent = this.#spent.filter(({ at }) => now - at < this.#cooldown)
    return this.#spent.length < limit && this.#spent.every((look) => look.kid !== kid)
  }

  spend(kid: string, now: number): void {
    this.#spent.push({ kid, at: now })
  }
}
