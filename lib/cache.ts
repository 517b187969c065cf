import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { SignatureVerifier } from './jwt.ts'
import type { AccessTokenClaims, JoseHeader } from './token.ts'

/** Bounds of the cache of verified tokens. */
export interface CacheSettings {
  /** Tokens. */
  readonly max: number
  /** Bytes, about: what their headers and claims take in memory. */
  readonly maxBytes: number
}

/** A token of which all is known to be good, its times aside, for as long as its verifier is the one to ask. */
export interface KnownToken {
  readonly header: JoseHeader
  readonly claims: AccessTokenClaims
  readonly verifier: SignatureVerifier
}

interface Entry extends KnownToken {
  readonly digest: string
}

/** What an entry takes beside header and claims: name, digest, places in the lists, what is known of tokens that were seen once. */
const overhead = 1_280
/** Characters of a signature by which a token is looked up: as many bits as a digest has. */
const nameLength = 43

/**
 * Verified tokens, the least recently used leaving first. A token is known by its SHA-256, so that none is kept and
 * no part of one speaks for it; the end of its signature only tells, at next to no cost, whether that needs to be
 * computed. It is kept when it is verified for the second time: many tokens never come back, and to keep those
 * would cost more than their verification saves.
 */
export class TokenCache {
  readonly #max: number
  readonly #entries: LRUCache<string, Entry>
  /** Names of tokens that were verified lately, in two generations. */
  #seen = new Set<string>()
  #seenBefore = new Set<string>()

  constructor({ max, maxBytes }: CacheSettings) {
    this.#max = max
    this.#entries = new LRUCache({ max, maxSize: maxBytes })
  }

  /** What the tokens that are known take in memory, about. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  find(token: string): KnownToken | undefined {
    const entry = this.#entries.get(token.slice(-nameLength))
    return entry && entry.digest === digestOf(token) ? entry : undefined
  }

  /**
   * Only for tokens that were verified just now.
   *
   * @param bytes - What header and claims take in memory. A token that takes more than there is room for is not kept.
   */
  keep(token: string, { header, claims, verifier }: KnownToken, bytes: number): void {
    const name = token.slice(-nameLength)
    if (!this.#seen.has(name) && !this.#seenBefore.has(name)) {
      this.#see(name)
      return
    }
    const entry = { header, claims, verifier, digest: digestOf(token) }
    this.#entries.set(copyOf(name), entry, { size: bytes + overhead })
  }

  drop(token: string): void {
    this.#entries.delete(token.slice(-nameLength))
  }

  /** Drops every token that one of these keys verified. */
  dropVerifiedBy(verifiers: ReadonlySet<SignatureVerifier>): void {
    if (verifiers.size === 0) return
    const entries = Array.from(this.#entries.entries())
    for (const [name, { verifier }] of entries) if (verifiers.has(verifier)) this.#entries.delete(name)
  }

  #see(name: string): void {
    if (this.#seen.size >= this.#max) {
      this.#seenBefore = this.#seen
      this.#seen = new Set()
    }
    this.#seen.add(copyOf(name))
  }
}

/** What a token is known by. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'base64')
}

/** A slice would hold on to the whole token. */
function copyOf(name: string): string {
  return Buffer.from(name).toString()
}
