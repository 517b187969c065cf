import { isObject } from '../jwt/json.ts'
import { FetchError } from '../fetch/fetch-error.ts'
import { diffIdentifiers } from './identifier-diff.ts'
import { isLoopback, isTrustworthy } from './urls.ts'

/** Whose keys are discovered. */
export interface DiscoveredIssuer {
  readonly issuer: string
  /** Undefined if the metadata is at a well-known place. */
  readonly metadataUrl: URL | undefined
  /** Allows an http URL of the keys. */
  readonly allowInsecure: boolean
}

/** The metadata names another issuer. */
export class OtherIssuerError extends FetchError {
  /** The name in the metadata. */
  readonly metadataIssuer: string

  constructor(metadataIssuer: string, issuer: string) {
    const diff = diffIdentifiers(metadataIssuer, issuer)
    super(
      `its metadata names another issuer${diff ? `; they differ in: ${diff.differences.join(', ')}` : ''}`,
    )
    this.metadataIssuer = metadataIssuer
  }
}

/**
 * The URLs of an issuer's metadata. OpenID Connect Discovery 1.0 section 4 appends the well-known path to the issuer. RFC 8414
 * section 3.1 inserts the well-known path between the host and the path of the issuer. Some issuers insert that of OpenID Connect.
 */
export function metadataUrls(issuer: string): [openid: URL, oauth: URL, insertedOpenid: URL] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    new URL(`${origin}${path}/.well-known/openid-configuration`),
    new URL(`${origin}/.well-known/oauth-authorization-server${path}`),
    new URL(`${origin}/.well-known/openid-configuration${path}`),
  ]
}

/**
 * Discovers the `jwks_uri` of an issuer. The `issuer` of the metadata must equal the configured issuer (OpenID Connect Discovery 1.0
 * section 4.3, RFC 8414 section 3.3).
 *
 * @param get - Fetches a JSON document.
 * @throws {FetchError}
 */
export async function discoverJwksUri(
  { issuer, metadataUrl, allowInsecure }: DiscoveredIssuer,
  get: (url: URL) => Promise<unknown>,
): Promise<URL> {
  // Without a path in the issuer two of the places are the same.
  const hrefs = metadataUrl ? [metadataUrl.href] : new Set(metadataUrls(issuer).map(({ href }) => href))
  const metadata = await fetchMetadata([...hrefs], get)
  if (metadata.issuer !== issuer) throw new OtherIssuerError(metadata.issuer, issuer)
  const { jwks_uri: jwksUri } = metadata
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) {
    throw new FetchError('its metadata has no usable jwks_uri')
  }
  const url = new URL(jwksUri)
  if (!isTrustworthy(url, allowInsecure)) throw new FetchError('its jwks_uri is not https')
  // A remote issuer must not name an address of this machine that speaks http.
  if (url.protocol === 'http:' && !allowInsecure && !isLoopback(new URL(issuer))) {
    throw new FetchError('its jwks_uri is http on loopback, which only an issuer on loopback may have')
  }
  return url
}

interface Metadata extends Record<string, unknown> {
  readonly issuer: string
}

/** Returns the first document of these places. */
async function fetchMetadata(
  [href, ...others]: readonly string[],
  get: (url: URL) => Promise<unknown>,
): Promise<Metadata> {
  const result = await get(new URL(href!)).catch((error: unknown) => {
    if (isAbsent(error)) return error
    throw error
  })
  if (isObject(result) && typeof result.issuer === 'string') return result as Metadata
  if (others.length > 0) return fetchMetadata(others, get)
  throw result instanceof FetchError ? result : new FetchError('not metadata with an issuer')
}

/** Whether an answer says that there is no document: a 4xx other than 429, or a 2xx that is not JSON. Other failures don't tell. */
function isAbsent(error: unknown): error is FetchError {
  if (!(error instanceof FetchError)) return false
  const { status = 0 } = error
  return (status >= 200 && status < 300) || (status >= 400 && status < 500 && status !== 429)
}
