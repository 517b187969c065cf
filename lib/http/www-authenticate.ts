import type { Refusal } from '../errors.ts'

/** What a reply may hold for a header. */
export type HeaderValue = PresentHeader | undefined
type PresentHeader = string | number | string[]

/** The part of a Bearer challenge that is always the same (RFC 6750 section 3, RFC 9110 section 11.6.1). */
export function challengeIn(realm: string): string {
  return `Bearer realm=${quoted(realm)}`
}

/**
 * The Bearer challenge for a refusal. What it adds needs no escapes: our own words, and names that can't hold a quote.
 * All of it is quoted, `max_age` too (RFC 9470 section 3).
 */
export function bearerChallenge(base: string, refusal: Refusal): string {
  const { challengeError, scope, acrValues, maxAge } = refusal
  let challenge = base
  if (challengeError !== undefined) challenge += `, error="${challengeError}"`
  if (scope !== undefined) challenge += `, scope="${scope}"`
  if (acrValues !== undefined) challenge += `, acr_values="${acrValues}"`
  if (maxAge !== undefined) challenge += `, max_age="${maxAge}"`
  return challenge
}

/**
 * The `WWW-Authenticate` header with our challenge in it: challenges of other schemes stay, since a client may
 * choose, and an earlier Bearer challenge gives way to the newer one.
 */
export function withChallenge(present: HeaderValue, challenge: string): string | string[] {
  if (present === undefined) return challenge
  const others = challengesIn(present).filter((value) => !isBearer(value))
  return others.length === 0 ? challenge : [...others, challenge]
}

/** The challenges of a header without this one. */
export function withoutChallenge(present: PresentHeader, challenge: string): string[] {
  return challengesIn(present).filter((value) => value !== challenge)
}

/** Whether a header has a Bearer challenge. */
export function hasChallenge(present: PresentHeader): boolean {
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
