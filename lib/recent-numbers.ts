/** Bits for each number: as few as one in 16 numbers is then taken for one that was added. */
const bitsForEach = 32
const fewestBits = 65_536

/**
 * Numbers that were added lately: the last `count` for certain, up to twice as many, and now and then one that was
 * never added. Two sets of bits in turn, so that adding makes nothing that would have to be collected.
 */
export class RecentNumbers {
  readonly #count: number
  readonly #bits: number
  #added = 0
  #current: Uint32Array
  #before: Uint32Array

  constructor(count: number) {
    this.#count = count
    // No power of two, since those would let the last characters of a name decide.
    this.#bits = Math.max(count * bitsForEach, fewestBits) - 1
    this.#current = new Uint32Array(Math.ceil(this.#bits / 32))
    this.#before = new Uint32Array(this.#current.length)
  }

  has(number: number): boolean {
    const bit = number % this.#bits
    const mask = 1 << (bit & 31)
    return ((this.#current[bit >>> 5]! | this.#before[bit >>> 5]!) & mask) !== 0
  }

  add(number: number): void {
    if (this.#added === this.#count) {
      const oldest = this.#before.fill(0)
      this.#before = this.#current
      this.#current = oldest
      this.#added = 0
    }
    const bit = number % this.#bits
    this.#current[bit >>> 5]! |= 1 << (bit & 31)
    this.#added += 1
  }
}
