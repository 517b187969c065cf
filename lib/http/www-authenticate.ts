import type { Refusal } from '../errors.ts'

/** The value of a header on a reply. */
export type HeaderValue = PresentHeader | undefined
type PresentHeader = string | number | string[]

/** The constant part of a Bearer challenge (RFC 6750 section 3, RFC 9110 section 11.6.1). */
export function challengePrefix(realm: string): string {
  return `Bearer realm=${quoted(realm)}`
}

/**
 * The Bearer challenge of a refusal. The parameters need no escapes: scopes and authentication contexts with a quote or a backslash
 * are refused where a rule is declared. Every value is quoted, `max_age` as well (RFC 9470 section 3).
 */
export function bearerChallenge(prefix: string, refusal: Refusal): string {
  const { challengeError, scope, acrValues, maxAge } = refusal
  let challenge = prefix
  if (challengeError !== undefined) challenge += `, error="${challengeError}"`
  if (scope !== undefined) challenge += `, scope="${scope}"`
  if (acrValues !== undefined) challenge += `, acr_values="${acrValues}"`
  if (maxAge !== undefined) challenge += `, max_age="${maxAge}"`
  return challenge
}

/**
 * Adds a Bearer challenge to a `WWW-Authenticate` header. Challenges of other schemes stay, because a client may choose. An
 * earlier Bearer challenge is replaced.
 */
export function withChallenge(present: HeaderValue, challenge: string): string | string[] {
  if (present === undefined) return challenge
  const others = challengesIn(present).filter((value) => !isBearer(value))
  return others.length === 0 ? challenge : [...others, challenge]
}

/** The challenges of a header without one of them. */
export function withoutChallenge(present: PresentHeader, challenge: string): string[] {
  return challengesIn(present).filter((value) => value !== challenge)
}

/** Whether a header contains a Bearer challenge. */
export function hasBearerChallenge(present: PresentHeader): boolean {
  return challengesIn(present).some(isBearer)
}

function challengesIn(header: PresentHeader): string[] {
  return [header].flat().map(String)
}

function isBearer(challenge: string): boolean {
  return /^bearer\b/i.test(challenge)
}

/** A quoted-string (RFC 9110 section 5.6.4). */
function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
