import { JwksAuthError, refusals } from '../errors.ts'

/** The token of an `Authorization` header with the Bearer scheme (RFC 6750 section 2.1); undefined without a header. */
export function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  if (authorization === '') throw new JwksAuthError(refusals.noCredentials)
  const [scheme, token, ...rest] = authorization.trim().split(/\s+/)
  if (scheme!.toLowerCase() !== 'bearer') throw new JwksAuthError(refusals.otherScheme)
  if (token === undefined) throw new JwksAuthError(refusals.noToken)
  if (rest.length > 0) throw new JwksAuthError(refusals.manyParts)
  return token
}
