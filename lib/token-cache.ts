import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Credentials, Scheme } from './http/authorization-header.ts'
import type { KeyVerifier } from './issuers/key-source.ts'
import type { TokenTimes } from './jwt/claims.ts'
import type { AccessToken, AccessTokenClaims, JoseHeader } from './jwt/token.ts'
import type { CacheSettings } from './options/plugin-options.ts'

/** How long a header is stored at most, in milliseconds. It covers clients that send one request after the other. */
const headerLifetime = 10_000
/** Maximum number of characters before the token in a stored header. A client may send any number of spaces there. */
const maxPrefixLength = 16
/** Estimated size of an entry without its token, header and claims, in bytes. */
const entrySize = 1_280
/** Number of characters at the end of a signature that identify a token for a lookup. */
const fingerprintLength = 8

/** A token whose signature and claims passed. Only its times need checking again while its key is fresh. */
export class CachedToken {
  readonly verifier: KeyVerifier
  readonly times: TokenTimes
  readonly #header: JoseHeader
  readonly #claims: AccessTokenClaims
  readonly #digest: string
  /** The scheme of the stored header. */
  scheme: Scheme | undefined
  #authorization: string | undefined
  #accessToken: AccessToken | undefined

  constructor({ claims, header, raw }: AccessToken, verifier: KeyVerifier, times: TokenTimes) {
    this.verifier = verifier
    this.times = times
    this.#header = header
    this.#claims = claims
    this.#digest = hash('sha256', raw, 'base64')
  }

  /** Returns the token if this exact header was seen within 10 s. Comparing strings costs a tenth of a SHA-256. */
  matchHeader(authorization: string): AccessToken | undefined {
    return this.#authorization === authorization ? this.#accessToken : undefined
  }

  /** Returns the token if its text is equal, by SHA-256. */
  matchToken(raw: string): AccessToken | undefined {
    return this.#digest === hash('sha256', raw, 'base64') ? this.#withText(raw) : undefined
  }

  /** Makes `matchHeader` match this header, which ends with the token. */
  storeHeader(authorization: string, { scheme, token }: Credentials): AccessToken {
    const copy = copyOf(authorization)
    this.scheme = scheme
    this.#authorization = copy
    this.#accessToken = this.#withText(copy.slice(copy.length - token.length))
    return this.#accessToken
  }

  clearHeader(): void {
    this.#authorization = undefined
    this.#accessToken = undefined
  }

  #withText(raw: string): AccessToken {
    return Object.freeze({ claims: this.#claims, header: this.#header, raw })
  }
}

/**
 * The verified tokens; the least recently used one is evicted first. A token is added when it is verified for the second time: many
 * tokens are used once, and adding them would cost more than it saves. An expired token stays, so that a client that
 * repeats it causes no verification.
 */
export class TokenCache {
  readonly #tokens: LRUCache<number, CachedToken>
  readonly #doorkeeper: Doorkeeper
  /** The tokens with a stored header. */
  readonly #withHeader = new Set<CachedToken>()
  #clearing: NodeJS.Timeout | undefined

  constructor({ max, maxBytes }: CacheSettings) {
    this.#tokens = new LRUCache({
      max,
      maxSize: maxBytes,
      dispose: (token) => this.#withHeader.delete(token),
    })
    this.#doorkeeper = new Doorkeeper(max)
  }

  /** Estimated size in memory, in bytes. */
  get bytes(): number {
    return this.#tokens.calculatedSize
  }

  /** The token that a header or a token may contain, by the fingerprint. The caller compares the whole text. */
  find(text: string): CachedToken | undefined {
    return this.#tokens.get(fingerprintOf(text))
  }

  /** Returns the token if its text is equal. For the next 10 s `matchHeader` of that token matches the header. */
  matchToken(cached: CachedToken, credentials: Credentials, authorization: string): AccessToken | undefined {
    const { token } = credentials
    const accessToken = cached.matchToken(token)
    if (!accessToken) return undefined
    const isShort = authorization.length <= token.length + maxPrefixLength
    if (!isShort || !authorization.endsWith(token)) return accessToken
    this.#withHeader.add(cached)
    this.#clearing ??= setTimeout(() => this.clearHeaders(), headerLifetime).unref()
    return cached.storeHeader(authorization, credentials)
  }

  /** Adds a token that has just been verified. A token larger than the cache is not added. */
  add(accessToken: AccessToken, verifier: KeyVerifier, times: TokenTimes): void {
    const { raw, header, claims } = accessToken
    const fingerprint = fingerprintOf(raw)
    if (!this.#doorkeeper.admits(fingerprint)) return
    const size = entrySize + raw.length + estimateSize(header) + estimateSize(claims)
    this.#tokens.set(fingerprint, new CachedToken(accessToken, verifier, times), { size })
  }

  /** Evicts the tokens that one of these keys verified. */
  evictByKey(verifiers: ReadonlySet<KeyVerifier>): void {
    if (verifiers.size === 0) return
    const entries = Array.from(this.#tokens.entries())
    for (const [fingerprint, { verifier }] of entries) {
      if (verifiers.has(verifier)) this.#tokens.delete(fingerprint)
    }
  }

  /** Clears the stored headers, so that no token stays in memory for longer than it has to. */
  clearHeaders(): void {
    for (const token of this.#withHeader) token.clearHeader()
    this.#withHeader.clear()
    clearTimeout(this.#clearing)
    this.#clearing = undefined
  }
}

/**
 * Admits what it has seen before (the doorkeeper of TinyLFU). It remembers at least the last `count` fingerprints, in two sets: the
 * older set is dropped when the newer one is full.
 */
export class Doorkeeper {
  readonly #count: number
  #newer = new Set<number>()
  #older = new Set<number>()

  constructor(count: number) {
    this.#count = count
  }

  admits(fingerprint: number): boolean {
    if (this.#newer.has(fingerprint) || this.#older.has(fingerprint)) return true
    if (this.#newer.size === this.#count) {
      this.#older = this.#newer
      this.#newer = new Set()
    }
    this.#newer.add(fingerprint)
    return false
  }
}

/** Estimated bytes in memory: an object or a list, a member with its name, a string without its characters, a character. */
const sizes = { container: 64, member: 120, string: 24, character: 2 }

/** Estimates the size of a JSON object in memory, rather too high than too low. */
export function estimateSize(root: object): number {
  const containers: object[] = [root]
  let bytes = 0
  for (const container of containers) {
    bytes += sizes.container
    for (const [name, value] of Object.entries(container) as [string, unknown][]) {
      bytes += sizes.member + sizes.character * name.length
      if (typeof value === 'string') bytes += sizes.string + sizes.character * value.length
      else if (typeof value === 'object' && value !== null) containers.push(value)
    }
  }
  return bytes
}

/** Copies a string. A slice would keep the whole header in memory, which may have 16 KB. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** Hashes the last characters to an integer of 31 bits, which V8 stores without an allocation. */
function fingerprintOf(text: string): number {
  let fingerprint = 0
  for (let index = text.length - fingerprintLength; index < text.length; index += 1) {
    fingerprint = (Math.imul(fingerprint, 131) + text.charCodeAt(index)) & 0x7fffffff
  }
  return fingerprint
}
