import { findSimilar, printable } from '../jwks/identifier-diff.ts'
import { findMismatch, type ClaimValues } from '../jwt/claim-values.ts'
import type { ClaimFailure, ClaimRules } from '../jwt/claims.ts'
import { isObject } from '../jwt/json.ts'
import type { AccessTokenClaims } from '../jwt/token.ts'
import * as messages from '../log.ts'
import { maxListed, warning, type Hint } from './hint.ts'

type Claims = Readonly<Record<string, unknown>>

/** Whether a time of a token is in milliseconds. RFC 7519 section 2 has seconds, which would be after the year 5138. */
export function isInMilliseconds(time: unknown): boolean {
  return typeof time === 'number' && time >= 100_000_000_000 && Number.isFinite(time)
}

/**
 * Explains why a token with a valid signature was refused.
 *
 * @param now - Milliseconds since the epoch.
 */
export function explainClaims(failure: ClaimFailure, rules: ClaimRules, claims: Claims, now: number): Hint[] {
  const { iss: issuer } = claims
  const { claim } = failure
  const { code } = failure.refusal
  const hints: Hint[] = []
  const inMilliseconds = ['exp', 'nbf', 'iat'].find((name) => isInMilliseconds(claims[name]))
  const seconds = inMilliseconds === undefined ? secondsAhead(claims, rules.clockTolerance, now) : 0
  if (inMilliseconds !== undefined) hints.push(explainMilliseconds(issuer, inMilliseconds))
  if (seconds > 0) hints.push(warning('clockSkew', { issuer, seconds }, messages.clockSkew(seconds)))
  if (code !== 'invalid_audience' && code !== 'invalid_claims') return hints
  // The times explain this refusal already.
  if (claim === 'iat' && hints.length > 0) return hints
  if (isIdToken(claims)) {
    hints.push(warning('idToken', { issuer, audience: shown(rules.audience) }, messages.idToken))
  } else if (code === 'invalid_audience') {
    hints.push(explainAudience(rules, claims))
  } else if (isNested(claim, rules.claims, claims)) {
    hints.push(explainNested(issuer, claim))
  } else {
    hints.push(warning(`invalid ${claim}`, { issuer, claim }, messages.invalidClaim(claim)))
  }
  return hints
}

/** The members of a rule of `authorize` that hints are about. */
export interface RuleRequirements {
  readonly scope: readonly string[]
  readonly anyScope: readonly string[]
  readonly claims: ClaimValues
  readonly maxAuthAge: number | undefined
}

/** Explains why a token does not satisfy a rule of `authorize`. */
export function explainRule(
  { scope, anyScope, claims: values, maxAuthAge }: RuleRequirements,
  scopeClaims: readonly string[],
  claims: AccessTokenClaims,
): Hint | undefined {
  const { iss: issuer } = claims
  if (scope.length + anyScope.length > 0 && scopeClaims.every((name) => claims[name] === undefined)) {
    return warning('noScopes', { issuer }, messages.noScopes(scopeClaims))
  }
  const claim = findMismatch(values, claims)
  if (claim !== undefined) return isNested(claim, values, claims) ? explainNested(issuer, claim) : undefined
  const isTooLarge = maxAuthAge !== undefined && isInMilliseconds(claims.auth_time)
  return isTooLarge ? explainMilliseconds(issuer, 'auth_time') : undefined
}

function explainNested(issuer: unknown, claim: string): Hint {
  return warning(`nested ${claim}`, { issuer, claim }, messages.nestedClaim(claim))
}

/** Explains a time of a verified token that is in milliseconds, whether the token is refused or not. */
export function explainMilliseconds(issuer: unknown, claim: string): Hint {
  return warning('milliseconds', { issuer, claim }, messages.timeInMilliseconds(claim))
}

/** How far the token was issued in the future, if that is more than the tolerance. */
function secondsAhead({ iat }: Claims, clockTolerance: number, now: number): number {
  const ahead = typeof iat === 'number' ? iat * 1000 - now : 0
  return ahead > clockTolerance && Number.isFinite(ahead) ? Math.round(ahead / 1000) : 0
}

function explainAudience({ audience }: ClaimRules, claims: Claims): Hint {
  const received = [claims.aud].flat()
  const similar = findSimilar(received, audience as readonly string[])
  const aud = received.slice(0, maxListed).flatMap((text) => printable(text) ?? [])
  const details = { issuer: claims.iss, aud, audience: shown(audience) }
  if (shown(audience).some((text) => isJoined(text, received))) {
    return warning('joinedAudience', details, messages.joinedAudience)
  }
  if (!similar) return warning('otherAudience', details, messages.otherAudience)
  const subject = similar.isElsewhere ? 'audienceElsewhere' : 'audienceSpelling'
  return warning(subject, details, messages.similarAudience(similar.differences))
}

/** Whether a configured audience is a list that was written as one text, as an environment variable has it. */
function isJoined(configured: string, received: readonly unknown[]): boolean {
  const parts = configured.split(/[\s,;]+/).filter(Boolean)
  return parts.length > 1 && parts.some((part) => received.includes(part))
}

function shown(audience: ClaimRules['audience']): readonly string[] {
  return (audience || []).slice(0, maxListed)
}

/**
 * Recognises ID tokens by OpenID Connect Core section 2 and by the claims of Keycloak (`typ`) and Cognito (`token_use`). Access tokens
 * have a scope or a client.
 */
function isIdToken({ typ, token_use: use, nonce, at_hash: at, c_hash: code, ...claims }: Claims): boolean {
  if (typ === 'ID' || use === 'id') return true
  return (nonce ?? at ?? code) !== undefined && (claims.scope ?? claims.scp ?? claims.client_id) === undefined
}

/** Whether the options name a claim with dots in its name, while the token has a claim at this path. */
function isNested(claim: string, values: ClaimValues, claims: Claims): boolean {
  const path = claim.split('.')
  if (path.length === 1) return false
  let member: unknown = claims
  let allowed: unknown = values
  for (const name of path) {
    member = isObject(member) && Object.hasOwn(member, name) ? member[name] : undefined
    allowed = allowed instanceof Map ? allowed.get(name) : undefined
  }
  return member !== undefined && allowed === undefined
}
