import type { AccessTokenClaims } from '../jwt/token.ts'

/**
 * The scopes of a token: `scope` as in RFC 8693 section 4.2 or as a list, `scp` (Entra, Okta) and `permissions` (Auth0). An entry of a
 * list is one scope, even if it contains a space.
 */
export function scopesOf({ scope, scp, permissions }: AccessTokenClaims): Set<unknown> {
  const split = (scopes: unknown): unknown => (typeof scopes === 'string' ? scopes.split(' ') : scopes)
  return new Set([scope, scp, permissions].flatMap(split))
}
