import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { acceptedTimes } from './jwt/claims.ts'
import { weigh } from './jwt/json.ts'
import { RecentNumbers } from './recent-numbers.ts'
import type { AccessToken, AccessTokenClaims, JoseHeader } from './jwt/token.ts'
import type { Verifier } from './issuers/key-verifier.ts'

/** Bounds of the cache of verified tokens. */
export interface CacheSettings {
  /** Tokens. */
  readonly max: number
  /** Bytes, about: what they, their headers and their claims take in memory. */
  readonly maxBytes: number
}

/** How long a text is kept at most, in milliseconds: long enough for a client that makes one request after the other. */
const textLifetime = 10_000
/** Characters before a token in credentials that are kept: a client may put any number of blanks there. */
const mostBefore = 16

/** A token of which all is known to be good, its times aside, for as long as its verifier is the one to ask. */
export class KnownToken {
  readonly verifier: Verifier
  readonly #from: number
  readonly #until: number
  readonly #header: JoseHeader
  readonly #claims: AccessTokenClaims
  readonly #digest: string
  #credentials: string | undefined
  #accessToken: AccessToken | undefined

  constructor(accessToken: AccessToken, verifier: Verifier) {
    this.verifier = verifier
    // Worked out once: a seen token's claims need not be looked at, which the processor would have to fetch.
    const { from, until } = acceptedTimes(verifier.rules, accessToken.claims)
    this.#from = from
    this.#until = until
    this.#header = accessToken.header
    this.#claims = accessToken.claims
    this.#digest = digestOf(accessToken.raw)
  }

  /** The access token, if it came in these credentials a moment ago, word for word: a tenth of the price of a digest. */
  recall(credentials: string): AccessToken | undefined {
    return this.#credentials === credentials ? this.#accessToken : undefined
  }

  /** Whether this is its text: by its SHA-256. */
  isTextOf(raw: string): boolean {
    return this.#digest === digestOf(raw)
  }

  /** The access token with a text that was found to be its. */
  withText(raw: string): AccessToken {
    return Object.freeze({ claims: this.#claims, header: this.#header, raw })
  }

  /** From now on it is told by these credentials, which end with its text. */
  remember(raw: string, credentials: string): AccessToken {
    const text = copyOf(credentials)
    const accessToken = this.withText(text.slice(text.length - raw.length))
    this.#credentials = text
    this.#accessToken = accessToken
    return accessToken
  }

  /** Whether its claims have the token accepted at this time, in milliseconds since the epoch. */
  isTimely(now: number): boolean {
    return now >= this.#from && now < this.#until
  }

  /** Lets go of the text. */
  forget(): void {
    this.#credentials = undefined
    this.#accessToken = undefined
  }
}

/** What a known token takes beside its text, header and claims: digest, places in the lists. */
const overhead = 1_280
/** Characters of a signature by which a token is looked up, mixed into a number that needs no place in memory of its own. */
const nameLength = 8

type Known = LRUCache<number, KnownToken>

/**
 * Verified tokens, the least recently used leaving first. The end of its signature only tells, at next to no cost, which
 * one a token may be. It is kept when it is verified for the second time: many tokens never come back, and to keep those
 * would cost more than their verification saves.
 */
export class TokenCache {
  readonly #timely: Known
  /** Expired ones and the like, so that a client that doesn't let go of one costs no signature, and no good token its place. */
  readonly #untimely: Known
  readonly #seen: RecentNumbers
  /** Those whose text is in memory. */
  readonly #recent = new Set<KnownToken>()
  #forgetting: NodeJS.Timeout | undefined

  constructor({ max, maxBytes }: CacheSettings) {
    const dispose = (known: KnownToken): boolean => this.#recent.delete(known)
    this.#timely = new LRUCache({ max, maxSize: maxBytes, dispose })
    this.#untimely = new LRUCache({ max: fractionOf(max), maxSize: fractionOf(maxBytes), dispose })
    this.#seen = new RecentNumbers(max)
  }

  /** What the tokens that are known take in memory, about. */
  get bytes(): number {
    return this.#timely.calculatedSize + this.#untimely.calculatedSize
  }

  /** The one that credentials may hold, whatever stands before the token in them. */
  find(credentials: string): KnownToken | undefined {
    const name = nameOf(credentials)
    return this.#timely.get(name) ?? this.#untimely.get(name)
  }

  /** The access token with this text, if the one that was found has it. For ten seconds it is told by the credentials then. */
  recognize(known: KnownToken, raw: string, credentials: string): AccessToken | undefined {
    if (!known.isTextOf(raw)) return undefined
    if (credentials.length > raw.length + mostBefore || !credentials.endsWith(raw)) return known.withText(raw)
    this.#recent.add(known)
    if (!this.#forgetting) this.#forgetting = setTimeout(() => this.forgetTexts(), textLifetime).unref()
    return known.remember(raw, credentials)
  }

  /**
   * Only for tokens that were verified just now. One that takes more than there is room for is not kept.
   *
   * @param isTimely - Whether it is accepted now, and not before or after.
   */
  keep(accessToken: AccessToken, verifier: Verifier, isTimely: boolean): void {
    const { raw, header, claims } = accessToken
    const name = nameOf(raw)
    if (!this.#seen.has(name)) {
      this.#seen.add(name)
      return
    }
    const size = overhead + raw.length + weigh(header) + weigh(claims)
    const known = isTimely ? this.#timely : this.#untimely
    known.set(name, new KnownToken(accessToken, verifier), { size })
  }

  /** A known token has expired: it leaves its place to others, and is one of the untimely if it is sent again. */
  expire(raw: string): void {
    this.#timely.delete(nameOf(raw))
  }

  /** Drops every token that one of these keys verified. */
  dropVerifiedBy(verifiers: ReadonlySet<Verifier>): void {
    if (verifiers.size === 0) return
    for (const known of [this.#timely, this.#untimely]) {
      const all = Array.from(known.entries())
      for (const [name, { verifier }] of all) if (verifiers.has(verifier)) known.delete(name)
    }
  }

  /** Lets go of all texts: no token stays in memory for longer. */
  forgetTexts(): void {
    for (const known of this.#recent) known.forget()
    this.#recent.clear()
    clearTimeout(this.#forgetting)
    this.#forgetting = undefined
  }
}

function fractionOf(bound: number): number {
  return Math.ceil(bound / 16)
}

/** A text of its own: one that was cut out of another keeps the whole of that in memory, be it a header of 16 KB. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** What a token is known by. */
export function digestOf(raw: string): string {
  return hash('sha256', raw, 'base64')
}

function nameOf(text: string): number {
  let name = 0
  for (let index = text.length - nameLength; index < text.length; index += 1) {
    name = (Math.imul(name, 131) + text.charCodeAt(index)) & 0x7fffffff
  }
  return name
}
