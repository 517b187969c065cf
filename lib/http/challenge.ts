import type { Refusal } from '../errors.ts'

/** What a reply may hold for a header. */
export type HeaderValue = string | number | string[] | undefined

/** The Bearer challenge for a refusal (RFC 6750 section 3, RFC 9110 section 11.6.1). */
export function bearerChallenge(realm: string, { challengeError, scope }: Refusal): string {
  const parameters = { realm, error: challengeError, scope }
  const present = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return `Bearer ${present.map(([name, value]) => `${name}=${quoted(value!)}`).join(', ')}`
}

/**
 * The `WWW-Authenticate` header with our challenge in it: challenges of other schemes stay, since a client may
 * choose, and an earlier Bearer challenge gives way to the newer one.
 */
export function withChallenge(present: HeaderValue, challenge: string): string | string[] {
  const others = [present ?? []].flat().filter((value) => !/^bearer\b/i.test(String(value)))
  return others.length === 0 ? challenge : [...others.map(String), challenge]
}

/** A quoted-string (RFC 9110 section 5.6.4). */
function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
