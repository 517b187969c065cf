const fewestPlaces = 2_048

/**
 * Whole numbers that were added lately: the last `count` for certain, up to twice as many, and fewer than one in a hundred of those
 * that were never added. Two sets in turn, so that adding makes nothing that would have to be collected, and side by side, so
 * that one look into memory finds both: in each a word for every place, and in it three bits for a number (a blocked Bloom filter).
 */
export class RecentNumbers {
  readonly #count: number
  readonly #places: number
  readonly #words: Int32Array
  #added = 0
  #current = 0

  constructor(count: number) {
    this.#count = count
    // No power of two, since those would let the last characters of a name decide.
    this.#places = Math.max(count, fewestPlaces) - 1
    this.#words = new Int32Array(2 * this.#places)
  }

  has(number: number): boolean {
    const first = (number % this.#places) * 2
    const bits = bitsOf(number)
    return (this.#words[first]! & bits) === bits || (this.#words[first + 1]! & bits) === bits
  }

  add(number: number): void {
    if (this.#added === this.#count) this.#forgetOldest()
    this.#words[(number % this.#places) * 2 + this.#current]! |= bitsOf(number)
    this.#added += 1
  }

  #forgetOldest(): void {
    this.#current = 1 - this.#current
    for (let word = this.#current; word < this.#words.length; word += 2) this.#words[word] = 0
    this.#added = 0
  }
}

/** A shift counts no more than five bits of its number, so each of these takes its own five of the mixed 32. */
function bitsOf(number: number): number {
  const mixed = Math.imul(number, 0x9e3779b1)
  return (1 << (mixed >>> 27)) | (1 << (mixed >>> 22)) | (1 << (mixed >>> 17))
}
