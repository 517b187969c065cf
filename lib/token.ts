import { isUtf8 } from 'node:buffer'
import { JwksAuthError, refusals } from './errors.ts'
import { isObject } from './json.ts'

/** JOSE header of a verified access token (RFC 7515 section 4). */
export interface JoseHeader {
  readonly alg: string
  readonly kid?: unknown
  readonly typ?: string
  readonly [parameter: string]: unknown
}

/** Claims of a verified access token (RFC 7519 section 4, RFC 9068 section 2.2). */
export interface AccessTokenClaims {
  readonly iss: string
  /** Seconds since the epoch. */
  readonly exp: number
  readonly aud?: string | readonly string[]
  readonly sub?: string
  readonly nbf?: number
  readonly iat?: number
  readonly jti?: string
  readonly client_id?: string
  readonly [claim: string]: unknown
}

/** A token that has been read and not verified: nothing in it may be believed. */
export interface UnverifiedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  readonly raw: string
}

/**
 * Reads a JWT in compact serialization (RFC 7515 section 7.1, RFC 7519 section 7.2). A `crit` header is refused
 * whatever it names, since no extension is understood here (RFC 7515 section 4.1.11).
 */
export function readToken(raw: unknown): UnverifiedToken {
  if (typeof raw === 'string') {
    const segments = raw.split('.', 4)
    if (segments.length === 3) {
      const header = readObject(segments[0]!)
      const claims = header && !Object.hasOwn(header, 'crit') ? readObject(segments[1]!) : undefined
      if (header && claims) return { header, claims, raw }
    }
  }
  throw new JwksAuthError(refusals.unreadable)
}

/**
 * The bytes of a segment, if it is the one base64url form that they have: no padding, no foreign characters and
 * no loose bits, all of which Node's own decoder passes over.
 */
export function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  return bytes.toString('base64url') === segment ? bytes : undefined
}

function readObject(segment: string): Record<string, unknown> | undefined {
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
