import { assertFunction, assertNames, assertRecord, texts, wrong } from './assert.ts'
import { readClaimValues, type ClaimValue, type ClaimValues } from './claim-values.ts'
import { scopesOf, type AccessTokenClaims } from './token.ts'

/** An authorization rule, checked; its `check` is not in here. */
export interface Authorization {
  readonly scope: readonly string[]
  readonly anyScope: readonly string[]
  readonly claims: ClaimValues
  /** For the challenge: every scope that the rule names, undefined where it names none. */
  readonly scopes: string | undefined
}

const names = ['scope', 'anyScope', 'claims', 'check']

/** @throws {TypeError} for a rule that is empty, unknown or mistyped: it would let everybody through. */
export function readAuthorization(rule: unknown): Authorization {
  assertRecord('authorize', rule, 'must be called with a rule, as in onRequest: app.authorize({ scope: … })')
  assertNames('authorize.', rule, names)
  const { scope, anyScope, check } = rule
  const claims = readClaimValues('authorize.claims', rule.claims)
  assertFunction('authorize.check', check)
  const all = readScopes('authorize.scope', scope)
  const any = readScopes('authorize.anyScope', anyScope)
  if (all.length + any.length + claims.size === 0 && check === undefined) {
    wrong('authorize', `must hold at least one of ${names.join(', ')}`)
  }
  const scopes = [...new Set([...all, ...any])].join(' ')
  return {
    scope: all,
    anyScope: any,
    claims,
    scopes: scopes || undefined,
  }
}

/** Whether the claims permit the request, `check` aside. */
export function permits(
  { scope, anyScope, claims: values, scopes }: Authorization,
  claims: AccessTokenClaims,
): boolean {
  if (scopes !== undefined) {
    const granted = scopesOf(claims)
    if (!scope.every((name) => granted.has(name))) return false
    if (anyScope.length > 0 && !anyScope.some((name) => granted.has(name))) return false
  }
  for (const [name, allowed] of values) {
    if (![claims[name]].flat().some((value) => allowed.includes(value as ClaimValue))) return false
  }
  return true
}

/** Scopes as RFC 6749 section 3.3 writes them: tokens without quotes and backslashes, parted by spaces. */
function readScopes(name: string, value: unknown): string[] {
  if (value === undefined) return []
  const scopes = texts(name, value).flatMap((entry) => entry.split(' '))
  if (!scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))) {
    wrong(name, 'must hold scopes of printable ASCII without quotes and backslashes (RFC 6749 section 3.3)')
  }
  return scopes
}
