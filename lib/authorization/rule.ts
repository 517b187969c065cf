import { assertFunction, assertNames, assertRecord, texts, wholeNumber, wrong } from '../options/assert.ts'
import { readClaimValues, type ClaimValue, type ClaimValues } from '../jwt/claim-values.ts'
import { authenticationRefusal, permissionRefusal, type Refusal } from '../errors.ts'
import { scopesOf, type AccessTokenClaims } from '../jwt/token.ts'

/** An authorization rule, checked; its `check` is not in here. */
export interface Authorization {
  readonly scope: readonly string[]
  readonly anyScope: readonly string[]
  readonly claims: ClaimValues
  readonly acr: readonly string[]
  /** Milliseconds. */
  readonly maxAuthAge: number | undefined
  /** The answer to a token that does not permit the request. */
  readonly notPermitted: Refusal
  /** The answer to one whose user has to authenticate again. */
  readonly notAuthenticatedSo: Refusal
}

const names = ['scope', 'anyScope', 'claims', 'acr', 'maxAuthAge', 'check']

/** @throws {TypeError} for a rule that is empty, unknown or mistyped: it would let everybody through. */
export function readAuthorization(rule: unknown): Authorization {
  assertRecord('authorize', rule, 'must be called with a rule, as in onRequest: app.authorize({ scope: … })')
  assertNames('authorize.', rule, names)
  if (names.every((name) => rule[name] === undefined)) {
    wrong('authorize', `must hold at least one of ${names.join(', ')}`)
  }
  assertFunction('authorize.check', rule.check)
  const claims = readClaimValues('authorize.claims', rule.claims)
  const scope = readList('authorize.scope', rule.scope, 'scopes', 'RFC 6749 section 3.3')
  const anyScope = readList('authorize.anyScope', rule.anyScope, 'scopes', 'RFC 6749 section 3.3')
  const acr = readList('authorize.acr', rule.acr, 'authentication contexts', 'RFC 9470 section 3')
  const maxAuthAge = readMaxAuthAge(rule.maxAuthAge)
  // Rounded down: a user who just satisfies the challenge has to satisfy the rule.
  const maxAge = maxAuthAge === undefined ? undefined : Math.floor(maxAuthAge / 1000)
  return {
    scope,
    anyScope,
    claims,
    acr,
    maxAuthAge,
    notPermitted: permissionRefusal(joined([...scope, ...anyScope])),
    notAuthenticatedSo: authenticationRefusal(joined(acr), maxAge),
  }
}

/**
 * Why the claims refuse the request, if they do, `check` aside. What the token permits comes first, since
 * authenticating again would not change it.
 */
export function authorizationRefusal(
  authorization: Authorization,
  claims: AccessTokenClaims,
): Refusal | undefined {
  if (!permits(authorization, claims)) return authorization.notPermitted
  return isAuthenticatedSo(authorization, claims) ? undefined : authorization.notAuthenticatedSo
}

function permits({ scope, anyScope, claims: values }: Authorization, claims: AccessTokenClaims): boolean {
  if (scope.length + anyScope.length > 0) {
    const granted = scopesOf(claims)
    if (!scope.every((name) => granted.has(name))) return false
    if (anyScope.length > 0 && !anyScope.some((name) => granted.has(name))) return false
  }
  for (const [name, allowed] of values) {
    if (![claims[name]].flat().some((value) => allowed.includes(value as ClaimValue))) return false
  }
  return true
}

/** Whether the user authenticated in one of the ways that are demanded, and recently enough (RFC 9470 section 6.1). */
function isAuthenticatedSo({ acr, maxAuthAge }: Authorization, claims: AccessTokenClaims): boolean {
  if (acr.length > 0 && !acr.includes(claims.acr as string)) return false
  if (maxAuthAge === undefined) return true
  const { auth_time: time, exp } = claims
  // Nobody authenticates after the end of the token: such a time is one in milliseconds, which would never get old.
  return typeof time === 'number' && time <= exp && Date.now() - time * 1000 <= maxAuthAge
}

/** A user who thinks in seconds would ask for an authentication that nobody can give. */
function readMaxAuthAge(value: unknown): number | undefined {
  return value === undefined ? undefined : wholeNumber('authorize.maxAuthAge', value, 1_000)
}

/** Names as a challenge can hold them: parted by spaces, without quotes and backslashes. */
function readList(name: string, value: unknown, what: string, where: string): string[] {
  if (value === undefined) return []
  const entries = texts(name, value).flatMap((entry) => entry.split(' '))
  if (!entries.every((entry) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(entry))) {
    wrong(name, `must hold ${what} of printable ASCII without quotes and backslashes (${where})`)
  }
  return entries
}

function joined(entries: string[]): string | undefined {
  return [...new Set(entries)].join(' ') || undefined
}
