import { insufficientAuthentication, insufficientScope, type Refusal } from '../errors.ts'
import { findMismatch, type ClaimValues } from '../jwt/claim-values.ts'
import type { AccessTokenClaims } from '../jwt/token.ts'
import {
  assertFunction,
  assertNames,
  assertRecord,
  invalidOption,
  stringOrList,
  wholeNumber,
} from '../options/assert.ts'
import { readClaimValues } from '../options/claim-values.ts'
import { isScopeToken, refreshTokenScope, type ScopeSettings } from '../options/scope-options.ts'
import type { AuthorizationRule } from '../options/types.ts'
import { grantedScopes } from './scopes.ts'

/** The application's own check of a rule, whose parameters this folder doesn't know. */
export type Check = NonNullable<AuthorizationRule<never, never>['check']>

/** A checked rule of `authorize`. */
export interface Rule {
  readonly scope: readonly string[]
  readonly anyScope: readonly string[]
  readonly claims: ClaimValues
  readonly acr: readonly string[]
  /** Milliseconds. */
  readonly maxAuthAge: number | undefined
  readonly check: Check | undefined
  /** For a token that does not permit the request. */
  readonly insufficientScope: Refusal
  /** For a token whose user has to authenticate again. */
  readonly insufficientAuthentication: Refusal
}

const names = Object.keys({
  scope: true,
  anyScope: true,
  claims: true,
  acr: true,
  maxAuthAge: true,
  check: true,
} satisfies Record<keyof AuthorizationRule<never, never>, true>)

export const mustBeCalled = 'must be called with a rule, as in onRequest: authorize({ scope: … })'

/**
 * @param path - The name of the rule in errors.
 * @param right - What is right, if it is no rule.
 * @throws {TypeError} The rule is empty, unknown or mistyped. It would accept every token.
 */
export function readRule(rule: unknown, path = 'authorize', right: string = mustBeCalled): Rule {
  assertRecord(path, rule, right)
  assertNames(`${path}.`, rule, names)
  if (names.every((name) => rule[name] === undefined)) {
    invalidOption(path, `must have at least one of ${names.join(', ')}`)
  }
  assertFunction(`${path}.check`, rule.check)
  const claims = readClaimValues(`${path}.claims`, rule.claims)
  const scope = readScopes(`${path}.scope`, rule.scope)
  const anyScope = readScopes(`${path}.anyScope`, rule.anyScope)
  const acr = readList(`${path}.acr`, rule.acr, 'authentication contexts', 'RFC 9470 section 3')
  const maxAuthAge =
    rule.maxAuthAge === undefined ? undefined : wholeNumber(`${path}.maxAuthAge`, rule.maxAuthAge, 1)
  // Rounded down, so that an authentication that satisfies the challenge also satisfies the rule.
  const maxAge = maxAuthAge === undefined ? undefined : Math.floor(maxAuthAge / 1000)
  const challengeScope = joined([...scope, ...anyScope].filter((each) => each !== refreshTokenScope))
  return {
    scope,
    anyScope,
    claims,
    acr,
    maxAuthAge,
    check: rule.check as Check | undefined,
    insufficientScope: insufficientScope(challengeScope),
    insufficientAuthentication: insufficientAuthentication(joined(acr), maxAge, challengeScope),
  }
}

/**
 * Checks the claims of a verified token. Missing permissions are refused first, because authenticating again would not
 * change them. The rule's own `check` is left to the caller.
 */
export function checkRule(rule: Rule, claims: AccessTokenClaims, scopes: ScopeSettings): Refusal | undefined {
  if (!hasScopes(rule, claims, scopes) || findMismatch(rule.claims, claims) !== undefined)
    return rule.insufficientScope
  return isAuthenticated(rule, claims) ? undefined : rule.insufficientAuthentication
}

function hasScopes({ scope, anyScope }: Rule, claims: AccessTokenClaims, scopes: ScopeSettings): boolean {
  if (scope.length + anyScope.length === 0) return true
  const granted = grantedScopes(scopes, claims)
  return (
    scope.every((name) => granted.has(name)) &&
    (anyScope.length === 0 || anyScope.some((name) => granted.has(name)))
  )
}

/** Whether the authentication of the user is accepted and recent enough (RFC 9470 section 6.1). */
function isAuthenticated({ acr, maxAuthAge }: Rule, claims: AccessTokenClaims): boolean {
  if (acr.length > 0 && !acr.includes(claims.acr as string)) return false
  if (maxAuthAge === undefined) return true
  const { auth_time: time, exp } = claims
  // A time after the token's end is in milliseconds by mistake, and would never be too old.
  return typeof time === 'number' && time <= exp && Date.now() - time * 1000 <= maxAuthAge
}

/** A comma may be part of a scope, so it is accepted in the entries of a list. */
function readScopes(name: string, value: unknown): string[] {
  if (typeof value === 'string' && value.includes(',')) {
    invalidOption(
      name,
      "has a comma: write several scopes as ['a', 'b'] or 'a b', and a scope with a comma in its name as a list",
    )
  }
  return readList(name, value, 'scopes', 'RFC 6749 section 3.3')
}

/** Reads names that a challenge can contain: space-separated, without quotes and backslashes. */
function readList(name: string, value: unknown, what: string, rfc: string): string[] {
  if (value === undefined) return []
  const entries = stringOrList(name, value).flatMap((entry) => entry.split(' '))
  if (!entries.every(isScopeToken)) {
    invalidOption(name, `must contain ${what} of printable ASCII without quotes and backslashes (${rfc})`)
  }
  return entries
}

function joined(entries: string[]): string | undefined {
  return [...new Set(entries)].join(' ') || undefined
}
