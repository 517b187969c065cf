/** Bits for each number: as few as one in 16 numbers is then taken for one that was added. */
const bitsForEach = 32
const fewestBits = 65_536

/**
 * Numbers that were added lately: the last `count` for certain, up to twice as many, and now and then one that was
 * never added. Two sets of bits in turn, so that adding makes nothing that would have to be collected, and word by word side by
 * side, so that one look into memory finds both.
 */
export class RecentNumbers {
  readonly #count: number
  readonly #bits: number
  readonly #words: Uint32Array
  #added = 0
  #current = 0

  constructor(count: number) {
    this.#count = count
    // No power of two, since those would let the last characters of a name decide.
    this.#bits = Math.max(count * bitsForEach, fewestBits) - 1
    this.#words = new Uint32Array(2 * Math.ceil(this.#bits / 32))
  }

  has(number: number): boolean {
    const bit = number % this.#bits
    const pair = (bit >>> 5) * 2
    return ((this.#words[pair]! | this.#words[pair + 1]!) & (1 << (bit & 31))) !== 0
  }

  add(number: number): void {
    if (this.#added === this.#count) this.#forgetOldest()
    const bit = number % this.#bits
    this.#words[(bit >>> 5) * 2 + this.#current]! |= 1 << (bit & 31)
    this.#added += 1
  }

  #forgetOldest(): void {
    this.#current = 1 - this.#current
    for (let word = this.#current; word < this.#words.length; word += 2) this.#words[word] = 0
    this.#added = 0
  }
}
