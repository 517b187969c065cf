import type { ClaimValue, ClaimValues } from './claim-values.ts'
import { audienceRefusal, refusals, type Refusal } from '../errors.ts'
import type { AccessTokenClaims } from './token.ts'

/** What an issuer's verified tokens must be like. Times are milliseconds. */
export interface ClaimRules {
  readonly audience: readonly string[] | false
  readonly clockTolerance: number
  readonly maxTokenAge: number | undefined
  readonly requiredClaims: readonly string[]
  readonly claims: ClaimValues
  readonly profile: 'rfc9068' | undefined
}

type Claims = Readonly<Record<string, unknown>>

/** Text wherever they stand (RFC 7519 section 4.1, RFC 8693 section 4.3), and required by RFC 9068 section 2.2. */
const textClaims = ['sub', 'client_id', 'jti']

/**
 * Why a token is refused for what it says of itself, if it is; asked once its signature is known to be good. `iss`
 * was compared before the key was chosen.
 *
 * @param now - Milliseconds since the epoch.
 */
export function claimsRefusal(
  rules: ClaimRules,
  header: Claims,
  claims: Claims,
  now: number,
): Refusal | undefined {
  if (mistyped(rules, header, claims) !== undefined) return refusals.claims
  const typed = claims as AccessTokenClaims
  return timesRefusal(rules, typed, now) ?? valuesRefusal(rules, typed)
}

/** Whether time alone decides if a token is refused. */
export function isGoodButForTime(rules: ClaimRules, header: Claims, claims: Claims): boolean {
  return mistyped(rules, header, claims) === undefined && !valuesRefusal(rules, claims as AccessTokenClaims)
}

/** For those who set a server up: the name of what `invalid_claims` is about, `typ` or a claim. */
export function wrongClaim(rules: ClaimRules, header: Claims, claims: Claims): string | undefined {
  return mistyped(rules, header, claims) ?? unlisted(rules, claims)
}

/** The one part of it that time changes. */
export function timesRefusal(
  { clockTolerance, maxTokenAge }: ClaimRules,
  { exp, nbf, iat }: AccessTokenClaims,
  now: number,
): Refusal | undefined {
  if (now >= exp * 1000 + clockTolerance) return refusals.expired
  if (nbf !== undefined && now < nbf * 1000 - clockTolerance) return refusals.notActive
  if (maxTokenAge === undefined) return undefined
  const issued = iat! * 1000
  if (now >= issued + maxTokenAge + clockTolerance) return refusals.expired
  return now < issued - clockTolerance ? refusals.claims : undefined
}

/** A span of time, in milliseconds since the epoch. */
export interface Span {
  readonly from: number
  /** The first millisecond behind it. */
  readonly until: number
}

/** When `timesRefusal` has nothing against these claims: what doesn't change, worked out once. */
export function acceptedTimes(
  { clockTolerance, maxTokenAge }: ClaimRules,
  { exp, nbf, iat }: AccessTokenClaims,
): Span {
  let from = nbf === undefined ? -Infinity : nbf * 1000 - clockTolerance
  let until = exp * 1000 + clockTolerance
  if (maxTokenAge !== undefined) {
    const issued = iat! * 1000
    from = Math.max(from, issued - clockTolerance)
    until = Math.min(until, issued + maxTokenAge + clockTolerance)
  }
  return { from, until }
}

function valuesRefusal(rules: ClaimRules, claims: AccessTokenClaims): Refusal | undefined {
  const { audience } = rules
  if (audience !== false && !isFor(audience, claims)) return audienceRefusal(audience)
  return unlisted(rules, claims) === undefined ? undefined : refusals.claims
}

function isFor(audience: readonly string[], { aud }: AccessTokenClaims): boolean {
  return typeof aud === 'string' ? audience.includes(aud) : audience.some((ours) => aud!.includes(ours))
}

/** The first claim that has none of the values that it must have. */
function unlisted(rules: ClaimRules, claims: Claims): string | undefined {
  for (const [name, allowed] of rules.claims) {
    if (!allowed.includes(claims[name] as ClaimValue)) return name
  }
  return undefined
}

/**
 * `typ` tells kinds of JWT apart (RFC 8725 section 3.11). Explicit types carry the `+jwt` suffix or one like it;
 * of those only an access token's is let in. The profile lets in nothing else (RFC 9068 section 4).
 */
function isAccessTokenType(typ: unknown, profile: ClaimRules['profile']): boolean {
  if (typ === undefined) return profile === undefined
  if (typeof typ !== 'string') return false
  if (profile === undefined && !typ.includes('+')) return true
  const type = typ.toLowerCase()
  return type === 'at+jwt' || type === 'application/at+jwt'
}

/** The first that is missing or of another type than it must be: the header's `typ`, or a claim. */
function mistyped(rules: ClaimRules, { typ }: Claims, claims: Claims): string | undefined {
  const { audience, maxTokenAge, profile, requiredClaims } = rules
  const isRfc9068 = profile !== undefined
  const { exp, iat, nbf, aud } = claims
  if (!isAccessTokenType(typ, profile)) return 'typ'
  if (!isTime(exp)) return 'exp'
  if (iat === undefined ? maxTokenAge !== undefined || isRfc9068 : !isTime(iat)) return 'iat'
  if (nbf !== undefined && !isTime(nbf)) return 'nbf'
  if (aud === undefined ? audience !== false || isRfc9068 : !isAudience(aud)) return 'aud'
  for (const name of textClaims) {
    if (claims[name] === undefined ? isRfc9068 : typeof claims[name] !== 'string') return name
  }
  for (const name of requiredClaims) {
    if (!Object.hasOwn(claims, name) || claims[name] === null) return name
  }
  return undefined
}

/** A NumericDate (RFC 7519 section 2); JSON has no infinity, but `1e999` is read as one. */
function isTime(value: unknown): boolean {
  return Number.isFinite(value)
}

function isAudience(value: unknown): boolean {
  return (
    typeof value === 'string' || (Array.isArray(value) && value.every((member) => typeof member === 'string'))
  )
}
