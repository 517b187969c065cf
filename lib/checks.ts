import type { ClaimValue, ClaimValues } from './claim-values.ts'
import { audienceRefusal, JwksAuthError, refusals } from './errors.ts'
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
 * Checks what a token says of itself, once its signature is known to be good. `iss` was compared before the key
 * was chosen.
 *
 * @param now - Milliseconds since the epoch.
 */
export function checkClaims(
  rules: ClaimRules,
  header: Claims,
  claims: Claims,
  now: number,
): AccessTokenClaims {
  if (!isAccessTokenType(header.typ, rules.profile) || !hasTypedClaims(rules, claims)) {
    throw new JwksAuthError(refusals.claims)
  }
  checkTimes(rules, claims, now)
  checkAudience(rules, claims)
  for (const [name, allowed] of rules.claims) {
    if (!allowed.includes(claims[name] as ClaimValue)) throw new JwksAuthError(refusals.claims)
  }
  return claims as AccessTokenClaims
}

/**
 * `typ` tells kinds of JWT apart (RFC 8725 section 3.11). Explicit types carry the `+jwt` suffix or one like it;
 * of those only an access token's is let in. The profile lets in nothing else (RFC 9068 section 4).
 */
function isAccessTokenType(typ: unknown, profile: ClaimRules['profile']): boolean {
  if (typ === undefined) return profile === undefined
  if (typeof typ !== 'string') return false
  const type = typ.toLowerCase().replace(/^application\//, '')
  return type === 'at+jwt' || (profile === undefined && !type.includes('+'))
}

function hasTypedClaims(rules: ClaimRules, claims: Claims): boolean {
  const { audience, maxTokenAge, profile, requiredClaims } = rules
  const isRfc9068 = profile !== undefined
  return (
    isTyped(claims.exp, true, isTime) &&
    isTyped(claims.iat, maxTokenAge !== undefined || isRfc9068, isTime) &&
    isTyped(claims.nbf, false, isTime) &&
    isTyped(claims.aud, audience !== false || isRfc9068, isAudience) &&
    textClaims.every((name) => isTyped(claims[name], isRfc9068, isText)) &&
    requiredClaims.every((name) => Object.hasOwn(claims, name) && claims[name] !== null)
  )
}

function isTyped(value: unknown, isRequired: boolean, hasType: (value: unknown) => boolean): boolean {
  return (value === undefined && !isRequired) || hasType(value)
}

function checkTimes({ clockTolerance, maxTokenAge }: ClaimRules, claims: Claims, now: number): void {
  const { exp, nbf, iat } = claims as AccessTokenClaims
  if (now >= exp * 1000 + clockTolerance) throw new JwksAuthError(refusals.expired)
  if (nbf !== undefined && now < nbf * 1000 - clockTolerance) throw new JwksAuthError(refusals.notActive)
  if (maxTokenAge === undefined) return
  const age = now - iat! * 1000
  if (age >= maxTokenAge + clockTolerance) throw new JwksAuthError(refusals.expired)
  if (age < -clockTolerance) throw new JwksAuthError(refusals.claims)
}

function checkAudience({ audience }: ClaimRules, claims: Claims): void {
  if (audience === false) return
  const present = [(claims as AccessTokenClaims).aud!].flat()
  if (!audience.some((ours) => present.includes(ours))) throw new JwksAuthError(audienceRefusal(audience))
}

/** A NumericDate (RFC 7519 section 2); JSON has no infinity, but `1e999` is read as one. */
function isTime(value: unknown): boolean {
  return Number.isFinite(value)
}

function isAudience(value: unknown): boolean {
  return isText(value) || (Array.isArray(value) && value.every(isText))
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}
