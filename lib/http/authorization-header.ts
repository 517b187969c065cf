import { JwksAuthError, refusals } from '../errors.ts'

/** An access token and the authentication scheme it came with (RFC 9110 section 11.1). */
export interface Credentials {
  /** Undefined for a token that the application found outside of the Authorization header. */
  readonly scheme: 'Bearer' | undefined
  readonly token: string
}

const prefix = 'Bearer '
/** One part too many, and an empty one for white space before the scheme. The other parts of a long header are not read. */
const maxParts = 4

/** Reads an `Authorization` header with the Bearer scheme (RFC 6750 section 2.1). */
export function extractToken(authorization: string): Credentials | JwksAuthError {
  if (isCanonical(authorization)) return { scheme: 'Bearer', token: authorization.slice(prefix.length) }
  const [scheme = '', token, ...rest] = authorization.split(/[ \t]+/, maxParts).filter(Boolean)
  if (scheme === '') return new JwksAuthError(refusals.missingHeader)
  if (scheme.toLowerCase() !== 'bearer') return new JwksAuthError(refusals.unsupportedScheme)
  if (token === undefined) return new JwksAuthError(refusals.missingToken)
  if (rest.length > 0) return new JwksAuthError(refusals.malformedHeader)
  return { scheme: 'Bearer', token }
}

/** Whether the header has the form that nearly every client sends. The check makes no copies of a long header. */
function isCanonical(authorization: string): boolean {
  const start = prefix.length
  return (
    authorization.length > start &&
    authorization.startsWith(prefix) &&
    !authorization.includes(' ', start) &&
    !authorization.includes('\t', start)
  )
}
