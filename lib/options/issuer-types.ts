import type { JwsAlgorithm } from '../jwt/algorithms.ts'
import type { ClaimValue } from '../jwt/claim-values.ts'

/** The allowed values of a claim: a value, a list of values, or an object with the allowed values of the claim's members. */
export type AllowedClaim = ClaimValue | readonly ClaimValue[] | { readonly [member: string]: AllowedClaim }

/** The rules of an issuer for its tokens. Times are milliseconds. */
export interface TokenOptions {
  /**
   * One of these must be in `aud`. `false` is the only way to accept tokens for any audience, for issuers whose access tokens have
   * no `aud` (Amazon Cognito): use `claims` to recognise your own tokens.
   */
  audience: string | readonly string[] | false
  /**
   * The allowed signature algorithms. `EdDSA` and `Ed25519` are the same.
   *
   * @defaultValue all asymmetric ones; with `secret` `['HS256']`; with `secret` and `jwksUri` both
   */
  algorithms?: readonly (JwsAlgorithm | 'Ed25519')[]
  /**
   * The values that claims must have: a value or a list of allowed values. A claim that is a list must contain one of them. An object
   * descends into the claim: `{ realm_access: { roles: 'admin' } }`.
   */
  claims?: Readonly<Record<string, AllowedClaim>>
  /**
   * The accepted difference between the clocks of the issuer and of the server.
   *
   * @defaultValue 5,000
   */
  clockTolerance?: number
  /** The maximum age of a token by `iat`, which is then required. Off by default. */
  maxTokenAge?: number
  /** Claims that must be present in addition to `iss`, `exp` and `aud`. */
  requiredClaims?: readonly string[]
  /** `'rfc9068'`: requires the header type `at+jwt` and the claims of RFC 9068 section 2.2. */
  profile?: 'rfc9068'
}

/** The issuer, by its name or in Auth0's short form. */
export type IssuerName =
  | {
      /**
       * Auth0's short form, a host name with an optional port. The issuer is `https://DOMAIN/`, and its keys are at
       * `https://DOMAIN/.well-known/jwks.json`.
       */
      domain: string
      issuer?: never
    }
  | {
      /** The exact `iss` of its tokens. Without `jwksUri` and `secret` it is a URL, and the keys are discovered from it. */
      issuer: string
      domain?: never
    }

/** The keys of the issuer. Without these options they are discovered. */
export type IssuerKeys =
  | PublishedOrSharedKeys
  | {
      /** The URL of the metadata, where it is not at a well-known place. Its `issuer` must still be equal. */
      metadataUrl: string
      /** Not allowed: a domain has no discovery. */
      domain?: never
      jwksUri?: never
      secret?: never
    }

/** Where the keys are, or the shared secret. */
export interface PublishedOrSharedKeys {
  /** The URL of the JWK Set, or up to 10 of them. The keys of all of them belong to the issuer. */
  jwksUri?: string | readonly string[]
  /** Not allowed: nothing is discovered. */
  metadataUrl?: never
  /**
   * The shared secret of HS256, HS384 or HS512: a string (UTF-8) or bytes, at least as long as the hash. With `jwksUri`, HS tokens are
   * verified with the secret only, and other tokens with the keys only.
   */
  secret?: string | Uint8Array
}

/** How the issuer may be reached. */
export interface IssuerTransport {
  /**
   * Allows http for the URLs of this issuer. For tests and closed networks only.
   *
   * @defaultValue false
   */
  allowInsecureIssuers?: boolean
}

/** An issuer whose access tokens are accepted. */
export type IssuerOptions = TokenOptions & IssuerName & IssuerKeys & IssuerTransport

/**
 * Resolves the `iss` of a token to the options of an issuer. The token was not verified: an attacker may have chosen its `iss`. Look
 * the exact value up in your own records, and return the options of that issuer, or undefined for an unknown one. Never build
 * options from the `iss`: an attacker could then register a name that fits your pattern, and the plugin would fetch keys from it.
 *
 * The function is called with non-empty strings of at most 1,024 characters, at most once per issuer in `jwks.refreshInterval` (for an
 * unknown issuer: in `jwks.cooldown`). Concurrent requests share one call. Up to 10,000 issuers are remembered. If the options change,
 * the keys and the cached tokens of the issuer are dropped. A result of undefined removes the issuer.
 *
 * An error that the function throws or rejects with passes through unchanged. Wrong options, and options of another issuer,
 * refuse the token as undefined does, and are logged. The function may take as long as `jwks.timeout`.
 */
export type ResolveIssuer = (iss: string) => IssuerOptions | undefined | Promise<IssuerOptions | undefined>
