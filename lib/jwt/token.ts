import { isUtf8 } from 'node:buffer'
import { freezeDeeply, isObject, isTooDeep } from './json.ts'

/** JOSE header of a verified access token (RFC 7515 section 4). */
export interface JoseHeader {
  /** The algorithm of the signature. */
  readonly alg: string
  /** The name of the key in the issuer's JWK Set. */
  readonly kid?: unknown
  /** The kind of JWT. */
  readonly typ?: string
  readonly [parameter: string]: unknown
}

/** Claims of a verified access token (RFC 7519 section 4, RFC 9068 section 2.2). */
export interface AccessTokenClaims {
  /** Issuer: one of the configured issuers. */
  readonly iss: string
  /** Expiration time, in seconds since the epoch. */
  readonly exp: number
  /** Audience. */
  readonly aud?: string | readonly string[]
  /** Subject, unique for the issuer. */
  readonly sub?: string
  /** Not before, in seconds since the epoch. */
  readonly nbf?: number
  /** Issued at, in seconds since the epoch. */
  readonly iat?: number
  /** Token ID, unique for the issuer. */
  readonly jti?: string
  /** The client that requested the token. */
  readonly client_id?: string
  readonly [claim: string]: unknown
}

/** A verified access token. */
export interface AccessToken {
  /** Deeply frozen. */
  readonly claims: AccessTokenClaims
  /** Deeply frozen. */
  readonly header: JoseHeader
  /** The token as the client sent it. */
  readonly raw: string
}

/** A decoded token whose signature was not verified. Its content can't be trusted. */
export interface UnverifiedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/** Maximum number of characters of a token. Node allows headers of 16 KB, but `getToken` may read a token from a body. */
const maxTokenLength = 65_536

/**
 * Decodes a JWT in compact serialization (RFC 7515 section 7.1, RFC 7519 section 7.2). Undefined if it is malformed. A `crit` header is
 * refused whatever it lists, because no extension is implemented here (RFC 7515 section 4.1.11).
 */
export function decodeToken(raw: string): UnverifiedToken | undefined {
  if (raw.length > maxTokenLength) return undefined
  const first = raw.indexOf('.')
  const second = raw.indexOf('.', first + 1)
  if (second === -1 || raw.includes('.', second + 1)) return undefined
  const header = decodeHeader(raw.slice(0, first))
  const claims = header && decodeObject(raw.slice(first + 1, second))
  return claims && { header, claims }
}

/** Decoded headers by their text. The headers of an issuer's tokens are few, and most of them are seen before. */
const headers = new Map<string, UnverifiedToken['header']>()
const maxHeaders = 100
const maxHeaderLength = 1_024

/** @returns A deeply frozen header, which tokens share. */
function decodeHeader(segment: string): UnverifiedToken['header'] | undefined {
  const known = headers.get(segment)
  if (known) return known
  const header = decodeObject(segment)
  if (!header || Object.hasOwn(header, 'crit')) return undefined
  freezeDeeply(header)
  if (segment.length > maxHeaderLength) return header
  if (headers.size === maxHeaders) headers.clear()
  // A copy, because a slice would keep the whole token in memory.
  headers.set(Buffer.from(segment).toString(), header)
  return header
}

/** Decodes a segment that is a JSON object. */
export function decodeObject(segment: string): Record<string, unknown> | undefined {
  // Node's decoder ignores other characters, padding and unused bits. RFC 7515 section 2 allows none of them.
  if (!/^[\w-]*$/.test(segment) || !hasNoUnusedBits(segment)) return undefined
  const bytes = Buffer.from(segment, 'base64url')
  if (!isUtf8(bytes)) return undefined
  const json = bytes.toString()
  if (isTooDeep(json)) return undefined
  try {
    const value: unknown = JSON.parse(json)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Whether a base64url segment has a possible length, and no unused bits in its last character (RFC 4648 section 3.5). */
export function hasNoUnusedBits(segment: string): boolean {
  const remainder = segment.length % 4
  const last = alphabet.indexOf(segment.at(-1) ?? '')
  return remainder === 0 || (remainder === 2 && last % 16 === 0) || (remainder === 3 && last % 4 === 0)
}
