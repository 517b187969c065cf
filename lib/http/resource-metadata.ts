/** Where RFC 9728 puts the metadata of a protected resource: before the path of its identifier. */
const wellKnown = '/.well-known/oauth-protected-resource'

/** The metadata document of a protected resource (RFC 9728 section 2). Extensions may define further members. */
export interface ProtectedResourceMetadata {
  /** The identifier of this API: the URL that clients use. Clients compare it as text. */
  readonly resource: string
  /** The issuers of the access tokens. The plugin adds those of its options that have a URL. */
  readonly authorization_servers?: readonly string[]
  /** The JWK Set with the keys of this API, not those of the issuers. */
  readonly jwks_uri?: string
  /** The scopes that a client can ask for. */
  readonly scopes_supported?: readonly string[]
  /** How a bearer token may be sent. The plugin adds `['header']`, unless the option `getToken` is set. */
  readonly bearer_methods_supported?: readonly ('header' | 'body' | 'query')[]
  /** The algorithms with which this API signs its own answers. */
  readonly resource_signing_alg_values_supported?: readonly string[]
  /** The name of this API for people. `resource_name#fr` is its name in French, and so for the next three members. */
  readonly resource_name?: string
  /** A page for developers. */
  readonly resource_documentation?: string
  /** A page about how clients may use the data. */
  readonly resource_policy_uri?: string
  /** A page with the terms of service. */
  readonly resource_tos_uri?: string
  /** Whether access tokens may be bound to a client certificate (RFC 8705). */
  readonly tls_client_certificate_bound_access_tokens?: boolean
  /** The types of authorization details that this API understands (RFC 9396). */
  readonly authorization_details_types_supported?: readonly string[]
  /** The algorithms of DPoP proofs (RFC 9449). */
  readonly dpop_signing_alg_values_supported?: readonly string[]
  /** Whether access tokens must be bound to a DPoP key. */
  readonly dpop_bound_access_tokens_required?: boolean
  /** A JWT whose claims are metadata (RFC 9728 section 2.2). */
  readonly signed_metadata?: string
  readonly [member: string]: unknown
}

/** The URL of the metadata of a resource (RFC 9728 section 3.1). Neither part of it needs escapes in a challenge. */
export function metadataUrl(resource: string): { origin: string; path: string; href: string } {
  const { origin, pathname } = new URL(resource)
  const path = wellKnown + (pathname === '/' ? '' : pathname)
  return { origin, path, href: origin + path }
}
