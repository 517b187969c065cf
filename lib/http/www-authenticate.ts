import type { ChallengeError, Refusal } from '../errors.ts'
import type { Scheme } from './authorization-header.ts'

/** The value of a header on a reply. */
export type HeaderValue = PresentHeader | undefined
type PresentHeader = string | number | string[]

/**
 * Writes the challenges of a refusal: one for each authentication scheme, each a value of the header.
 *
 * @param scheme - The scheme of the request.
 */
export type ChallengeWriter = (refusal: Refusal, scheme: Scheme) => readonly string[]

/** What a DPoP challenge says of proofs. */
export interface DPoPChallenge {
  /** The allowed algorithms of proofs. */
  readonly algorithms: readonly string[]
  /** Whether every token must be bound to a DPoP key. */
  readonly isOnly: boolean
}

/**
 * @param resourceMetadata - The URL of the metadata of the resource (RFC 9728 section 5.1).
 * @param dpop - Undefined if tokens can't be bound to a DPoP key.
 */
export function createChallengeWriter(
  realm: string,
  resourceMetadata: string | undefined,
  dpop: DPoPChallenge | undefined,
): ChallengeWriter {
  const start = `realm=${quoted(realm)}`
  const end = resourceMetadata === undefined ? '' : `, resource_metadata="${resourceMetadata}"`
  if (!dpop) return (refusal) => [`Bearer ${start}${parametersOf(refusal)}${end}`]
  const dpopEnd = `, algs="${dpop.algorithms.join(' ')}"${end}`
  return (refusal, scheme) => {
    const inDPoP = dpop.isOnly || scheme === 'DPoP' || dpopErrors.includes(refusal.challengeError)
    const others = scopeOf(refusal)
    const dpopChallenge = `DPoP ${start}${inDPoP ? parametersOf(refusal) : others}${dpopEnd}`
    if (dpop.isOnly) return [dpopChallenge]
    return [`Bearer ${start}${inDPoP ? others : parametersOf(refusal)}${end}`, dpopChallenge]
  }
}

/** Only a DPoP challenge can have these (RFC 9449 sections 7.1 and 9). */
const dpopErrors: unknown[] = ['invalid_dpop_proof', 'use_dpop_nonce'] satisfies ChallengeError[]

/**
 * The parameters that say why a request was refused (RFC 6750 section 3, RFC 9470 section 3). They need no escapes: scopes and
 * authentication contexts with a quote or a backslash are refused where a rule is declared. Every value is quoted, `max_age` as well.
 */
function parametersOf(refusal: Refusal): string {
  const { challengeError, acrValues, maxAge } = refusal
  let parameters = ''
  if (challengeError !== undefined) parameters += `, error="${challengeError}"`
  parameters += scopeOf(refusal)
  if (acrValues !== undefined) parameters += `, acr_values="${acrValues}"`
  if (maxAge !== undefined) parameters += `, max_age="${maxAge}"`
  return parameters
}

/** A client needs the scopes with whichever scheme it asks again. */
function scopeOf({ scope }: Refusal): string {
  return scope === undefined ? '' : `, scope="${scope}"`
}

/**
 * Adds challenges to a `WWW-Authenticate` header. Challenges of other schemes stay, because a client may choose. Earlier challenges
 * of the same schemes are replaced.
 */
export function withChallenges(present: HeaderValue, challenges: readonly string[]): string | string[] {
  const schemes = challenges.map(schemeOf)
  const others = present === undefined ? [] : challengesIn(present)
  const all = [...others.filter((value) => !schemes.includes(schemeOf(value))), ...challenges]
  return all.length === 1 ? all[0]! : all
}

/** The challenges of a header without these. */
export function withoutChallenges(present: PresentHeader, challenges: readonly string[]): string[] {
  return challengesIn(present).filter((value) => !challenges.includes(value))
}

/** Whether a header contains a challenge of the scheme of each of these. */
export function hasSchemesOf(present: PresentHeader, challenges: readonly string[]): boolean {
  const schemes = new Set(challengesIn(present).map(schemeOf))
  return challenges.every((challenge) => schemes.has(schemeOf(challenge)))
}

function challengesIn(header: PresentHeader): string[] {
  return [header].flat().map(String)
}

/** The scheme in lower case, since its case is of no importance (RFC 9110 section 11.1). */
function schemeOf(challenge: string): string {
  return /^[^\s,]*/.exec(challenge)![0].toLowerCase()
}

/** A quoted-string (RFC 9110 section 5.6.4). */
function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
