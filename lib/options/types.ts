import type { ProtectedResourceMetadata } from '../http/resource-metadata.ts'
import type { Dispatcher } from '../fetch/dispatcher-client.ts'
import type { JwksStore } from '../jwks/jwks-store.ts'
import type { AllowedClaim, IssuerOptions, ResolveIssuer, TokenOptions } from './issuer-types.ts'
import type { BindingMode, DPoPOptions, MtlsOptions } from './sender-constraint-types.ts'

/** How keys are fetched and kept. Times are milliseconds. */
export interface JwksOptions {
  /**
   * The maximum age of keys while their issuer can be reached, and of a result of the function `issuers`.
   *
   * @defaultValue 300,000
   */
  refreshInterval?: number
  /**
   * How long known keys keep working after the last good answer while the issuer can't be reached. 0: not at all.
   *
   * @defaultValue 3,600,000
   */
  maxStale?: number
  /**
   * All unknown `kid`s of an issuer together cause at most 2 fetches in this time, and all failed signatures 1. The function `issuers`
   * is called at most once in this time for the same unknown issuer. 0: no limit.
   *
   * @defaultValue 10,000
   */
  cooldown?: number
  /**
   * The maximum time of a fetch, discovery included.
   *
   * @defaultValue 5,000
   */
  timeout?: number
  /**
   * The maximum size of an issuer's answer in bytes, unpacked.
   *
   * @defaultValue 1,048,576
   */
  maxResponseSize?: number
  /** An undici dispatcher for the fetches: a proxy, a private CA, an agent of your own. */
  dispatcher?: Dispatcher
  /**
   * `true`: keys are fetched before the server is ready, and readiness fails if they can't be fetched. A function `issuers` has
   * no issuers to fetch from at that time.
   *
   * @defaultValue false
   */
  prefetch?: boolean
  /**
   * Where processes share keys, and keep them for their next start: `redisStore(client)` of `fastify-jwks-auth/redis`,
   * `fileStore(directory)` of `fastify-jwks-auth/file`, or an object of your own. Needs `storeSecret`.
   */
  store?: JwksStore
  /**
   * Authenticates what is stored. Without it, somebody who can write to the store could add keys. A string (UTF-8) or bytes, at least
   * 32 of them, the same for all processes.
   */
  storeSecret?: string | Uint8Array
}

/** Limits of the cache of verified tokens. */
export interface CacheOptions {
  /**
   * The maximum number of tokens.
   *
   * @defaultValue 10,000
   */
  max?: number
  /**
   * The maximum number of bytes in memory, estimated.
   *
   * @defaultValue 67,108,864 (64 MiB)
   */
  maxBytes?: number
}

/**
 * Options that apply to all issuers.
 *
 * @typeParam Request - The request that callbacks get.
 * @typeParam Claims - The claims of a verified token.
 * @typeParam User - The type of `request.user`.
 */
export interface PluginOptions<Request, Claims, User> {
  /** How keys are fetched and kept. */
  jwks?: JwksOptions
  /**
   * A token is cached when it is verified for the second time, so that its signature isn't verified again. It leaves the cache
   * when its key is removed, or when tokens that are used more often need its place. `false`: every token is verified every time.
   */
  cache?: CacheOptions | false
  /**
   * `true`: every route of the scope requires a token, whether it is declared before or after the plugin. The member `jwksAuth` of a
   * route's `config` decides otherwise.
   *
   * @defaultValue false
   */
  global?: boolean
  /** Returns the token, instead of the Authorization header. Undefined means that there is none. */
  getToken?: (request: Request) => string | undefined | Promise<string | undefined>
  /** Makes `request.user` from the claims, for each request. */
  formatUser?: (claims: Claims, request: Request) => User | Promise<User>
  /**
   * Whether a token was revoked. It is called for each request after the token is verified. The request passes on `false` only.
   * Identify a token by its `jti`: an ECDSA signature has a second valid encoding, so the text of a token does not identify it.
   */
  isRevoked?: (claims: Claims, request: Request) => boolean | Promise<boolean>
  /**
   * Tokens that are bound to a key (RFC 9449). `'allowed'`: unbound tokens pass as bearer tokens. `'required'`: every token must be
   * bound. `'unchecked'`: bound tokens pass without a check, for servers behind a gateway that has checked. Without this option bound
   * tokens are refused.
   */
  dpop?: BindingMode | DPoPOptions
  /**
   * Tokens that are bound to a client certificate (RFC 8705), with the same modes as `dpop`. If both are `'required'`, either binding is
   * enough. Without more options the certificate is that of the TLS connection.
   */
  mtls?: BindingMode | MtlsOptions<Request>
  /**
   * The claims that hold scopes: strings of space-separated scopes, or lists.
   *
   * @defaultValue `['scope', 'scp', 'permissions']`
   */
  scopeClaims?: readonly string[]
  /**
   * Scopes that imply others: `{ 'notes:admin': ['notes:write'], 'notes:write': ['notes:read'] }`. A token with a scope also has the
   * scopes that it implies, and those that they imply.
   */
  impliedScopes?: Readonly<Record<string, readonly string[]>>
  /**
   * The name of the request decorator that holds the user. Declare its type as well, in `JwksAuthTypes`.
   *
   * @defaultValue `'user'`
   */
  decoratorName?: string
  /**
   * The realm in every challenge.
   *
   * @defaultValue `'api'`
   */
  realm?: string
  /**
   * Allows http for the URLs of all issuers. For tests and closed networks only.
   *
   * @defaultValue false
   */
  allowInsecureIssuers?: boolean
  /**
   * This API as a protected resource (RFC 9728): the URL that clients use, or the metadata document with that URL as `resource`. The
   * document is served at `/.well-known/oauth-protected-resource` followed by the path of the URL, and every challenge names it.
   */
  resource?: string | ProtectedResourceMetadata
  /**
   * `false`: the application serves the metadata document itself.
   *
   * @defaultValue true
   */
  serveMetadata?: boolean
}

/**
 * The requirements for a verified token. All of them must be met.
 *
 * @typeParam Request - The request that `check` gets.
 * @typeParam Claims - The claims of a verified token.
 */
export interface AuthorizationRule<Request, Claims> {
  /** Scopes that the token must have, all of them. */
  scope?: string | readonly string[]
  /** Scopes of which the token must have one. */
  anyScope?: string | readonly string[]
  /** The values that claims must have, as in the options of an issuer. */
  claims?: Readonly<Record<string, AllowedClaim>>
  /** The accepted authentication contexts (RFC 9470), in order of preference. The token's `acr` must be one of them. */
  acr?: string | readonly string[]
  /**
   * The maximum age of the user's authentication by `auth_time`, which is then required (RFC 9470): in milliseconds. The
   * challenge has it in whole seconds.
   */
  maxAuthAge?: number
  /** A check of your own. It is called last, and passes on `true` only. */
  check?: (claims: Claims, request: Request) => boolean | Promise<boolean>
}

/** One issuer at the top level, or several under `issuers`. */
export type OneOrMoreIssuers =
  | (IssuerOptions & { issuers?: never })
  | ({
      /** The issuers, or a function that resolves them by name. */
      issuers: readonly IssuerOptions[] | ResolveIssuer
    } & {
      [Name in keyof TokenOptions | 'domain' | 'issuer' | 'jwksUri' | 'metadataUrl' | 'secret']?: never
    })
