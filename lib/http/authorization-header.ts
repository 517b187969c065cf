import { JwksAuthError, refusals } from '../errors.ts'

const usual = 'Bearer '

/** The token of an `Authorization` header with the Bearer scheme (RFC 6750 section 2.1). */
export function bearerToken(authorization: string): string | JwksAuthError {
  if (isUsual(authorization)) return authorization.slice(usual.length)
  const [scheme = '', token, ...rest] = authorization.split(/[ \t]+/).filter(Boolean)
  if (scheme === '') return new JwksAuthError(refusals.noCredentials)
  if (scheme.toLowerCase() !== 'bearer') return new JwksAuthError(refusals.otherScheme)
  if (token === undefined) return new JwksAuthError(refusals.noToken)
  if (rest.length > 0) return new JwksAuthError(refusals.manyParts)
  return token
}

/** As nearly every client writes it, which is told without taking a long text apart. */
function isUsual(authorization: string): boolean {
  const from = usual.length
  return (
    authorization.length > from &&
    authorization.startsWith(usual) &&
    !authorization.includes(' ', from) &&
    !authorization.includes('\t', from)
  )
}
