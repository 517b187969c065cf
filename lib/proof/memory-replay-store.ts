/** Returned instead of a boolean if a proof can't be stored. */
export const full: unique symbol = Symbol('full')

/** Used proofs that expire at about the same time, so that they are dropped together. */
interface Bucket {
  /** When all of its proofs have expired, in milliseconds since the epoch. */
  readonly endsAt: number
  /** The time of expiry of each id. */
  readonly proofs: Map<string, number>
  /** The number of proofs of each DPoP key. */
  readonly countByKey: Map<string, number>
}

/** One key can take this part of the store. */
const shareOfKey = 1 / 4
/** An id begins with the thumbprint of its DPoP key. */
const thumbprintLength = 43
/** The number of buckets that proofs of the usual lifetime are spread over. All of them are searched for each proof. */
const bucketsPerLifetime = 8
/** The number of proofs that are deleted at once, which takes about a millisecond. */
const maxDeleted = 1_000

/**
 * Remembers used proofs in the memory of this process. It is limited in their number, and in the number of each key, so that one key
 * can't lock the others out. Expired proofs are dropped in buckets, because deleting all of them one by one would block the process.
 */
export class MemoryReplayStore {
  readonly #max: number
  readonly #maxOfKey: number
  readonly #bucketWidth: number
  readonly #buckets = new Map<number, Bucket>()

  /**
   * @param max - Number of proofs.
   * @param lifetime - How long a proof is usually valid, in milliseconds.
   */
  constructor(max: number, lifetime: number) {
    this.#max = max
    this.#maxOfKey = Math.max(1, Math.floor(max * shareOfKey))
    this.#bucketWidth = Math.ceil(lifetime / bucketsPerLifetime)
  }

  /** Returns whether the id was absent and is now stored. A proof that is still valid is never dropped. */
  add(id: string, ttl: number): boolean | typeof full {
    const now = Date.now()
    const key = id.slice(0, thumbprintLength)
    for (const [number, { endsAt, proofs }] of this.#buckets) {
      if (endsAt <= now) this.#buckets.delete(number)
      else if (proofs.get(id)! > now) return false
    }
    if (this.#isFull() || this.#isFullFor(key)) {
      // A key that has taken its share needs room among its own proofs.
      this.#deleteExpired(now, this.#isFullFor(key) ? key : '')
      if (this.#isFull() || this.#isFullFor(key)) return full
    }
    const { proofs, countByKey } = this.#bucketOf(now + ttl)
    proofs.set(id, now + ttl)
    countByKey.set(key, (countByKey.get(key) ?? 0) + 1)
    return true
  }

  #isFull(): boolean {
    let count = 0
    for (const { proofs } of this.#buckets.values()) count += proofs.size
    return count >= this.#max
  }

  #isFullFor(key: string): boolean {
    let count = 0
    for (const { countByKey } of this.#buckets.values()) count += countByKey.get(key) ?? 0
    return count >= this.#maxOfKey
  }

  #bucketOf(expiresAt: number): Bucket {
    const number = Math.floor(expiresAt / this.#bucketWidth)
    let bucket = this.#buckets.get(number)
    if (!bucket) {
      bucket = { endsAt: (number + 1) * this.#bucketWidth, proofs: new Map(), countByKey: new Map() }
      this.#buckets.set(number, bucket)
    }
    return bucket
  }

  /**
   * Makes room in the only bucket that holds both expired and valid proofs.
   *
   * @param prefix - Only ids that begin with it are deleted.
   */
  #deleteExpired(now: number, prefix: string): void {
    const { proofs, countByKey } = this.#bucketOf(now)
    let deleted = 0
    for (const [id, expiresAt] of proofs) {
      if (expiresAt > now || !id.startsWith(prefix)) continue
      const key = id.slice(0, thumbprintLength)
      proofs.delete(id)
      countByKey.set(key, countByKey.get(key)! - 1)
      deleted += 1
      if (deleted === maxDeleted) return
    }
  }
}
