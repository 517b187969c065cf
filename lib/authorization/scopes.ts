import type { AccessTokenClaims } from '../jwt/token.ts'
import type { ScopeSettings } from '../options/scope-options.ts'

/** The scopes of a token as it has them. An entry of a list is one scope, even if it contains a space. */
export function tokenScopes(scopeClaims: readonly string[], claims: AccessTokenClaims): Set<unknown> {
  // A string is a list of scopes (RFC 8693 section 4.2).
  const split = (scopes: unknown): unknown => (typeof scopes === 'string' ? scopes.split(' ') : scopes)
  return new Set(scopeClaims.flatMap((name) => split(claims[name])))
}

/** The scopes that a token grants: its own, those that they imply, and so on. */
export function grantedScopes(
  { scopeClaims, impliedScopes }: ScopeSettings,
  claims: AccessTokenClaims,
): Set<unknown> {
  const scopes = tokenScopes(scopeClaims, claims)
  // The loop also visits the scopes that it adds.
  for (const scope of scopes) for (const implied of impliedScopes.get(scope) ?? []) scopes.add(implied)
  return scopes
}
