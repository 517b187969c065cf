import { isUtf8 } from 'node:buffer'
import { isObject } from './json.ts'

/** JOSE header of a verified access token (RFC 7515 section 4). */
export interface JoseHeader {
  /** The algorithm of the signature. */
  readonly alg: string
  /** The name of the key among those of the issuer. */
  readonly kid?: unknown
  /** What kind of JWT it is. */
  readonly typ?: string
  readonly [parameter: string]: unknown
}

/** Claims of a verified access token (RFC 7519 section 4, RFC 9068 section 2.2). */
export interface AccessTokenClaims {
  /** Who made the token: one of the configured issuers. */
  readonly iss: string
  /** Seconds since the epoch. */
  readonly exp: number
  /** For whom the token is. */
  readonly aud?: string | readonly string[]
  /** About whom it is, unique within the issuer. */
  readonly sub?: string
  /** Seconds since the epoch, before which it isn't active. */
  readonly nbf?: number
  /** Seconds since the epoch, when it was made. */
  readonly iat?: number
  /** Its name, unique within the issuer. */
  readonly jti?: string
  /** Which client asked for it. */
  readonly client_id?: string
  readonly [claim: string]: unknown
}

/** A verified access token. */
export interface AccessToken {
  /** Deeply frozen. */
  readonly claims: AccessTokenClaims
  /** Deeply frozen. */
  readonly header: JoseHeader
  /** The token as it came. */
  readonly raw: string
}

/** A token that has been read and not verified: nothing in it may be believed. */
export interface UnverifiedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Reads a JWT in compact serialization (RFC 7515 section 7.1, RFC 7519 section 7.2). Undefined where there is nothing to
 * read. A `crit` header is refused whatever it names, since no extension is understood here (RFC 7515 section 4.1.11).
 */
export function readToken(raw: string): UnverifiedToken | undefined {
  const first = raw.indexOf('.')
  const second = raw.indexOf('.', first + 1)
  if (second === -1 || raw.includes('.', second + 1)) return undefined
  const header = readObject(raw.slice(0, first))
  if (!header || Object.hasOwn(header, 'crit')) return undefined
  const claims = readObject(raw.slice(first + 1, second))
  return claims && { header, claims }
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Whether all bits of a segment's last character count, which decoders don't ask (RFC 4648 section 3.5). */
export function isLastCharacterExact(segment: string): boolean {
  const rest = segment.length % 4
  const last = alphabet.indexOf(segment.at(-1) ?? '')
  return rest === 0 || (rest === 2 && last % 16 === 0) || (rest === 3 && last % 4 === 0)
}

/**
 * The bytes of a segment, if it is the one base64url form that they have: no padding, no foreign characters and
 * no loose bits, all of which Node's own decoder passes over.
 */
function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  return bytes.toString('base64url') === segment ? bytes : undefined
}

/** A segment that is a JSON object. */
export function readObject(segment: string): Record<string, unknown> | undefined {
  const bytes = decodeSegment(segment)
  if (!bytes || !isUtf8(bytes)) return undefined
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * The scopes of a token, wherever its issuer puts them: `scope` as RFC 8693 section 4.2 has it or as a list, `scp`
 * (Entra, Okta), `permissions` (Auth0). An entry of a list is one scope, whatever is in it.
 */
export function scopesOf({ scope, scp, permissions }: AccessTokenClaims): Set<unknown> {
  const split = (scopes: unknown): unknown => (typeof scopes === 'string' ? scopes.split(' ') : scopes)
  return new Set([scope, scp, permissions].flatMap(split))
}
