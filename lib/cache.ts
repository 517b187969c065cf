import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { weigh } from './json.ts'
import type { SignatureVerifier } from './jwt.ts'
import { RecentNumbers } from './recent-numbers.ts'
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

/** What an entry takes beside header and claims: digest, places in the lists. */
const overhead = 1_280
/** Characters of a signature by which a token is looked up: as many as a number can tell apart. */
const nameLength = 7

/**
 * Verified tokens, the least recently used leaving first. A token is known by its SHA-256, so that none is kept and
 * no part of one speaks for it; the end of its signature only tells, at next to no cost, whether that needs to be
 * computed. It is kept when it is verified for the second time: many tokens never come back, and to keep those
 * would cost more than their verification saves.
 */
export class TokenCache {
  readonly #entries: LRUCache<number, Entry>
  readonly #seen: RecentNumbers

  constructor({ max, maxBytes }: CacheSettings) {
    this.#entries = new LRUCache({ max, maxSize: maxBytes })
    this.#seen = new RecentNumbers(max)
  }

  /** What the tokens that are known take in memory, about. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  find(token: string): KnownToken | undefined {
    const entry = this.#entries.get(nameOf(token))
    return entry && entry.digest === digestOf(token) ? entry : undefined
  }

  /** Only for tokens that were verified just now. One that takes more than there is room for is not kept. */
  keep(token: string, { header, claims, verifier }: KnownToken): void {
    const name = nameOf(token)
    if (!this.#seen.has(name)) {
      this.#seen.add(name)
      return
    }
    const size = overhead + weigh(header) + weigh(claims)
    this.#entries.set(name, { header, claims, verifier, digest: digestOf(token) }, { size })
  }

  drop(token: string): void {
    const name = nameOf(token)
    if (this.#entries.peek(name)?.digest === digestOf(token)) this.#entries.delete(name)
  }

  /** Drops every token that one of these keys verified. */
  dropVerifiedBy(verifiers: ReadonlySet<SignatureVerifier>): void {
    if (verifiers.size === 0) return
    const entries = Array.from(this.#entries.entries())
    for (const [name, { verifier }] of entries) if (verifiers.has(verifier)) this.#entries.delete(name)
  }
}

/** What a token is known by. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'base64')
}

function nameOf(token: string): number {
  let name = 0
  for (let index = token.length - nameLength; index < token.length; index += 1) {
    name = name * 128 + token.charCodeAt(index)
  }
  return name
}
