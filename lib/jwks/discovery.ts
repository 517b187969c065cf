import { isObject } from '../jwt/json.ts'
import { isTrustworthy } from './urls.ts'
import { IssuerFailure } from './fetch-json.ts'

/**
 * Where an issuer's metadata may be: OpenID Connect Discovery 1.0 section 4 appends the well-known path to the
 * issuer, RFC 8414 section 3.1 puts it between the host and the issuer's path.
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
 * The `jwks_uri` that an issuer publishes. Only a metadata document that names this very issuer is believed
 * (OpenID Connect Discovery 1.0 section 4.3, RFC 8414 section 3.3).
 *
 * @param get - Fetches a JSON document.
 * @throws {IssuerFailure}
 */
export async function discoverJwksUri(
  issuer: string,
  allowInsecure: boolean,
  get: (url: URL) => Promise<unknown>,
): Promise<URL> {
  const [openid, oauth] = metadataUrls(issuer)
  const metadata = await get(openid).catch((error: unknown) => {
    // A 4xx says that there is no such document. Any other failure says nothing about where it is.
    if (error instanceof IssuerFailure && isClientError(error.status)) return get(oauth)
    throw error
  })
  if (!isObject(metadata) || metadata.issuer !== issuer) {
    throw new IssuerFailure('its metadata names another issuer')
  }
  const { jwks_uri: jwksUri } = metadata
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) {
    throw new IssuerFailure('its metadata has no usable jwks_uri')
  }
  const url = new URL(jwksUri)
  if (!isTrustworthy(url, allowInsecure)) throw new IssuerFailure('its jwks_uri is not https')
  return url
}

function isClientError(status = 0): boolean {
  return status >= 400 && status < 500
}
