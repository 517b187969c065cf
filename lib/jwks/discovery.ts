import { isObject } from '../jwt/json.ts'
import { FetchError } from './fetch-error.ts'
import { isTrustworthy } from './urls.ts'

/**
 * The URLs of an issuer's metadata. OpenID Connect Discovery 1.0 section 4 appends the well-known path to the issuer. RFC 8414
 * section 3.1 inserts the well-known path between the host and the path of the issuer.
 */
export function metadataUrls(issuer: string): [openid: URL, oauth: URL] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    new URL(`${origin}${path}/.well-known/openid-configuration`),
    new URL(`${origin}/.well-known/oauth-authorization-server${path}`),
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
  issuer: string,
  allowInsecure: boolean,
  get: (url: URL) => Promise<unknown>,
): Promise<URL> {
  const [openid, oauth] = metadataUrls(issuer)
  const metadata = await get(openid).catch((error: unknown) => {
    // A 4xx means that there is no document at this URL. Any other failure doesn't tell.
    if (error instanceof FetchError && isClientError(error.status)) return get(oauth)
    throw error
  })
  if (!isObject(metadata) || metadata.issuer !== issuer) {
    throw new FetchError('its metadata names another issuer')
  }
  const { jwks_uri: jwksUri } = metadata
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) {
    throw new FetchError('its metadata has no usable jwks_uri')
  }
  const url = new URL(jwksUri)
  if (!isTrustworthy(url, allowInsecure)) throw new FetchError('its jwks_uri is not https')
  return url
}

function isClientError(status = 0): boolean {
  return status >= 400 && status < 500
}
