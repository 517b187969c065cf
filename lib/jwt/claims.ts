import { invalidAudience, refusals, type Refusal } from '../errors.ts'
import { findMismatch, type ClaimValues } from './claim-values.ts'
import { isObject } from './json.ts'
import type { AccessTokenClaims } from './token.ts'

/** The rules of an issuer for its verified tokens. Times are milliseconds. */
export interface ClaimRules {
  readonly audience: readonly string[] | false
  readonly clockTolerance: number
  readonly maxTokenAge: number | undefined
  readonly requiredClaims: readonly string[]
  readonly claims: ClaimValues
  readonly profile: 'rfc9068' | undefined
}

/** Why a verified token is refused. */
export interface ClaimFailure {
  readonly refusal: Refusal
  /** The claim at fault, or the header parameter `typ`. */
  readonly claim: string
}

/** The times of a token in milliseconds since the epoch, with the clock tolerance. */
export interface TokenTimes {
  readonly expiresAt: number
  readonly notBefore: number
  /** The end of `maxTokenAge`. Infinite without that option. */
  readonly tooOldAt: number
  /** When the token may have been issued at the earliest. Only `maxTokenAge` sets it. */
  readonly earliestIssue: number
}

/** The result of all checks. */
export interface ClaimsResult {
  readonly failure: ClaimFailure | undefined
  /** Undefined for a token that is refused at any time. */
  readonly times: TokenTimes | undefined
}

type Claims = Readonly<Record<string, unknown>>

/** Strings in every token (RFC 7519 section 4.1, RFC 8693 section 4.3). RFC 9068 section 2.2 requires them. */
const stringClaims = ['sub', 'client_id', 'jti']

/**
 * Checks the claims of a token whose signature is valid. `iss` was compared before the key was chosen.
 *
 * @param now - Milliseconds since the epoch.
 */
export function validateClaims(rules: ClaimRules, header: Claims, claims: Claims, now: number): ClaimsResult {
  const invalid = findInvalidClaim(rules, header, claims)
  if (invalid !== undefined)
    return { failure: { refusal: refusals.claims, claim: invalid }, times: undefined }
  const typed = claims as AccessTokenClaims
  const times = timesOf(rules, typed)
  const mismatch = validateValues(rules, typed)
  return { failure: validateTimes(times, now) ?? mismatch, times: mismatch ? undefined : times }
}

const failures = {
  expired: { refusal: refusals.expired, claim: 'exp' },
  notActive: { refusal: refusals.notActive, claim: 'nbf' },
  tooOld: { refusal: refusals.expired, claim: 'iat' },
  issuedInFuture: { refusal: refusals.claims, claim: 'iat' },
} as const satisfies Record<string, ClaimFailure>

/**
 * The only check whose result changes with time. It is repeated for a token that was verified before.
 *
 * @param now - Milliseconds since the epoch.
 */
export function validateTimes(times: TokenTimes, now: number): ClaimFailure | undefined {
  if (now >= times.expiresAt) return failures.expired
  if (now < times.notBefore) return failures.notActive
  if (now >= times.tooOldAt) return failures.tooOld
  return now < times.earliestIssue ? failures.issuedInFuture : undefined
}

function timesOf(
  { clockTolerance, maxTokenAge }: ClaimRules,
  { exp, nbf, iat }: AccessTokenClaims,
): TokenTimes {
  const issuedAt = maxTokenAge === undefined ? -Infinity : iat! * 1000
  return {
    expiresAt: exp * 1000 + clockTolerance,
    notBefore: nbf === undefined ? -Infinity : nbf * 1000 - clockTolerance,
    tooOldAt: maxTokenAge === undefined ? Infinity : issuedAt + maxTokenAge + clockTolerance,
    earliestIssue: issuedAt - clockTolerance,
  }
}

function validateValues(rules: ClaimRules, claims: AccessTokenClaims): ClaimFailure | undefined {
  const { audience } = rules
  if (audience !== false && !isFor(audience, claims))
    return { refusal: invalidAudience(audience), claim: 'aud' }
  const claim = findMismatch(rules.claims, claims)
  return claim === undefined ? undefined : { refusal: refusals.claims, claim }
}

function isFor(audience: readonly string[], { aud }: AccessTokenClaims): boolean {
  return typeof aud === 'string' ? audience.includes(aud) : audience.some((ours) => aud!.includes(ours))
}

/**
 * `typ` tells kinds of JWT apart (RFC 8725 section 3.11). Explicit types have a suffix such as `+jwt`. Of these only the type of an
 * access token is accepted. The profile accepts nothing else (RFC 9068 section 4).
 */
function isAccessTokenType(typ: unknown, profile: ClaimRules['profile']): boolean {
  if (typ === undefined) return profile === undefined
  if (typeof typ !== 'string') return false
  if (profile === undefined && !typ.includes('+')) return true
  const type = typ.toLowerCase()
  return type === 'at+jwt' || type === 'application/at+jwt'
}

/** The first claim that is missing or has a wrong type, or the header parameter `typ`. */
function findInvalidClaim(rules: ClaimRules, { typ }: Claims, claims: Claims): string | undefined {
  const { audience, maxTokenAge, profile, requiredClaims } = rules
  const isRfc9068 = profile !== undefined
  const { exp, iat, nbf, aud, cnf } = claims
  if (!isAccessTokenType(typ, profile)) return 'typ'
  if (!isTime(exp)) return 'exp'
  if (iat === undefined ? maxTokenAge !== undefined || isRfc9068 : !isTime(iat)) return 'iat'
  if (nbf !== undefined && !isTime(nbf)) return 'nbf'
  if (aud === undefined ? audience !== false || isRfc9068 : !isAudience(aud)) return 'aud'
  for (const name of stringClaims) {
    if (claims[name] === undefined ? isRfc9068 : typeof claims[name] !== 'string') return name
  }
  if (!isConfirmation(cnf)) return 'cnf'
  for (const name of requiredClaims) {
    if (!Object.hasOwn(claims, name) || claims[name] === null) return name
  }
  return undefined
}

/** A NumericDate (RFC 7519 section 2). JSON has no infinity, but `1e999` is parsed to it. */
function isTime(value: unknown): boolean {
  return Number.isFinite(value)
}

/** RFC 7800 section 3.1, RFC 8705 section 3.1, RFC 9449 section 6.1. Other members are ignored. */
function isConfirmation(value: unknown): boolean {
  return (
    value === undefined || (isObject(value) && isThumbprint(value.jkt) && isThumbprint(value['x5t#S256']))
  )
}

/** A SHA-256 in base64url. */
function isThumbprint(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && /^[\w-]{43}$/.test(value))
}

function isAudience(value: unknown): boolean {
  return (
    typeof value === 'string' || (Array.isArray(value) && value.every((member) => typeof member === 'string'))
  )
}
