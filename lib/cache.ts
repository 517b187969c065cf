import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/** Bounds of the cache of verified tokens. */
export interface CacheSettings {
  /** Tokens. */
  readonly max: number
  /** Bytes, about: what their claims take in memory. */
  readonly maxBytes: number
}

/** What an entry takes beside its claims: digest, places in the lists, the entry itself. */
const overhead = 512

/**
 * What is known of tokens whose signature was good, the least recently used leaving first. Tokens are known by
 * their SHA-256, so that none is kept and strangers can't choose where theirs fall.
 *
 * @typeParam Known - What is known. It names the key that verified the token, so that it ends with it.
 */
export class TokenCache<Known extends { readonly verifier: unknown }> {
  readonly #entries: LRUCache<string, Known>

  constructor({ max, maxBytes }: CacheSettings) {
    this.#entries = new LRUCache({ max, maxSize: maxBytes })
  }

  /** What the tokens that are known take in memory, about. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  find(digest: string): Known | undefined {
    return this.#entries.get(digest)
  }

  /** @param bytes - What the claims take in memory. A token that takes more than there is room for is not kept. */
  keep(digest: string, known: Known, bytes: number): void {
    this.#entries.set(digest, known, { size: bytes + overhead })
  }

  drop(digest: string): void {
    this.#entries.delete(digest)
  }

  /** Drops every token that one of these keys verified. */
  dropVerifiedBy(verifiers: ReadonlySet<Known['verifier']>): void {
    if (verifiers.size === 0) return
    const known = Array.from(this.#entries.entries())
    for (const [digest, { verifier }] of known) if (verifiers.has(verifier)) this.#entries.delete(digest)
  }
}

/** The name of a token in the cache. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'base64')
}
