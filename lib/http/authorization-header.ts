import { JwksAuthError, refusals, type Refusal } from '../errors.ts'

/** An authentication scheme of access tokens (RFC 6750 section 2.1, RFC 9449 section 7.1). */
export type Scheme = 'Bearer' | 'DPoP'

/** An access token and the authentication scheme it came with (RFC 9110 section 11.1). */
export interface Credentials {
  /** Undefined for a token that the application found outside of the Authorization header. */
  readonly scheme: Scheme | undefined
  readonly token: string
}

const bearerPrefix = 'Bearer '
/** One part too many, and an empty one for white space before the scheme. The other parts of a long header are not read. */
const maxParts = 4

/** The schemes that are read, by their names in lower case. */
type Schemes = ReadonlyMap<string, Scheme>
const bearerOnly: Schemes = new Map([['bearer', 'Bearer']])
const bearerOrDPoP: Schemes = new Map([...bearerOnly, ['dpop', 'DPoP']])

/** Reads an `Authorization` header (RFC 6750 section 2.1). */
export type ExtractToken = (authorization: string) => Credentials | JwksAuthError

/** @param readsDPoP - Whether the DPoP scheme is read as well as the Bearer scheme (RFC 9449 section 7.1). */
export function createTokenExtractor(readsDPoP: boolean): ExtractToken {
  const schemes = readsDPoP ? bearerOrDPoP : bearerOnly
  const unsupported = readsDPoP ? refusals.neitherScheme : refusals.unsupportedScheme
  return (authorization) => extractToken(authorization, schemes, unsupported)
}

function extractToken(
  authorization: string,
  schemes: Schemes,
  unsupported: Refusal,
): Credentials | JwksAuthError {
  if (isCanonical(authorization)) {
    return { scheme: 'Bearer', token: authorization.slice(bearerPrefix.length) }
  }
  const [name = '', token, ...rest] = authorization.split(/[ \t]+/, maxParts).filter(Boolean)
  if (name === '') return new JwksAuthError(refusals.missingHeader)
  const scheme = schemes.get(name.toLowerCase())
  if (scheme === undefined) return new JwksAuthError(unsupported)
  if (token === undefined) return new JwksAuthError(refusals.missingToken)
  if (rest.length > 0) return new JwksAuthError(refusals.malformedHeader)
  return { scheme, token }
}

/** Whether a header has the DPoP scheme. */
export function isDPoPScheme(authorization: string): boolean {
  return /^[ \t]*dpop(?![^ \t])/i.test(authorization)
}

/** Whether the header has the form that nearly every bearer client sends. The check makes no copies of a long header. */
function isCanonical(authorization: string): boolean {
  const start = bearerPrefix.length
  return (
    authorization.length > start &&
    authorization.startsWith(bearerPrefix) &&
    !authorization.includes(' ', start) &&
    !authorization.includes('\t', start)
  )
}
