import type { JwsAlgorithm } from '../jwt/algorithms.ts'
import type { ClaimValue } from '../jwt/claim-values.ts'
import type { Dispatcher } from '../jwks/fetch-json.ts'

/** What an issuer's tokens must be like. Times are milliseconds. */
export interface TokenOptions {
  /**
   * One of these must be in `aud`. `false` is the one way to go without, for issuers whose access tokens have no
   * `aud` (Amazon Cognito): then tell your own tokens apart by `claims`.
   */
  audience: string | readonly string[] | false
  /**
   * The algorithms that tokens may be signed with. `EdDSA` and `Ed25519` are one.
   *
   * @defaultValue all asymmetric ones; with `secret` `['HS256']`
   */
  algorithms?: readonly (JwsAlgorithm | 'Ed25519')[]
  /** Values that claims must have, each a value or a list of allowed ones. */
  claims?: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>
  /**
   * How far the clocks of issuer and server may be apart.
   *
   * @defaultValue 5,000
   */
  clockTolerance?: number
  /** How long after `iat` a token is taken; `iat` is then required. Off by default. */
  maxTokenAge?: number
  /** Claims that must be there beside `iss`, `exp` and `aud`. */
  requiredClaims?: readonly string[]
  /** `'rfc9068'`: the header type `at+jwt` and the claims that RFC 9068 section 2.2 requires. */
  profile?: 'rfc9068'
}

/** Which issuer, in Auth0's short form or by its name. */
export type IssuerName =
  | {
      /**
       * Auth0's short form, a host name with an optional port: the issuer is `https://DOMAIN/`, its keys are at
       * `https://DOMAIN/.well-known/jwks.json`.
       */
      domain: string
      issuer?: never
    }
  | {
      /** The exact `iss` of its tokens. Unless `jwksUri` or `secret` is given, a URL from which its keys are discovered. */
      issuer: string
      domain?: never
    }

/** Where the keys are, when not by discovery. */
export type IssuerKeys =
  | {
      /** Where the JWK Set is. */
      jwksUri?: string
      secret?: never
    }
  | {
      /** The shared secret of HS256, HS384 or HS512: text (its UTF-8 is taken) or bytes, at least as long as the hash. */
      secret: string | Uint8Array
      jwksUri?: never
    }

/** One issuer whose access tokens are accepted. */
export type IssuerOptions = TokenOptions & IssuerName & IssuerKeys

/**
 * Finds an issuer by the `iss` of a token that nobody has verified yet: a stranger may have written it. Look it up
 * in your own record of whom you know, whole and exactly, and return that issuer's options, or undefined for one
 * that you don't know. Never make options out of the name: whoever owns a name that fits your pattern would be let in,
 * and their server be fetched from.
 *
 * It is called with non-empty strings of at most 1,024 characters, once for each issuer within
 * `jwks.refreshInterval` (for one that it doesn't know: within `jwks.cooldown`), whatever is asked meanwhile. Up to
 * 10,000 issuers are remembered. Where the answer is another one than before, the issuer starts anew, without the
 * keys and tokens that were known; undefined ends it.
 *
 * What it throws, or rejects with, passes through unchanged. Wrong options, and those of another issuer than the one
 * asked for, are a refusal as undefined is, and a line in the log. It is waited for as long as `jwks.timeout`.
 */
export type IssuerFinder = (iss: string) => IssuerOptions | undefined | Promise<IssuerOptions | undefined>

/** How keys are kept. Times are milliseconds. */
export interface JwksOptions {
  /**
   * How old the knowledge of a key may get while its issuer can be reached, and an answer of the function `issuers`.
   *
   * @defaultValue 300,000
   */
  refreshInterval?: number
  /**
   * How long after the last good answer known keys go on working while the issuer can't be reached. 0: not at all.
   *
   * @defaultValue 3,600,000
   */
  maxStale?: number
  /**
   * The time in which all unknown `kid`s of an issuer together cause at most 2 look-ups, and in which the function
   * `issuers` is asked once for an issuer that it doesn't know. 0: no bound.
   *
   * @defaultValue 10,000
   */
  cooldown?: number
  /**
   * How long a look-up may take, discovery included.
   *
   * @defaultValue 5,000
   */
  timeout?: number
  /**
   * Bytes that an issuer's answer may have, unpacked.
   *
   * @defaultValue 1,048,576
   */
  maxResponseSize?: number
  /** An undici dispatcher for the fetches: a proxy, a private CA, an agent of your own. */
  dispatcher?: Dispatcher
  /**
   * `true`: keys are fetched before the server is ready, and readiness fails where they can't be. Of issuers that
   * are found by a function there are none yet.
   *
   * @defaultValue false
   */
  prefetch?: boolean
}

/** Bounds of the cache of verified tokens. */
export interface CacheOptions {
  /**
   * How many tokens are remembered.
   *
   * @defaultValue 10,000
   */
  max?: number
  /**
   * How many bytes they may take in memory, about.
   *
   * @defaultValue 67,108,864 (64 MiB)
   */
  maxBytes?: number
}

/**
 * What holds for all issuers.
 *
 * @typeParam Request - What the callbacks get as a request.
 * @typeParam Claims - The claims of a verified token.
 * @typeParam User - What `request.user` is.
 */
export interface PluginOptions<Request, Claims, User> {
  /** How keys are kept. */
  jwks?: JwksOptions
  /**
   * Tokens that are verified for the second time are remembered, so that their signature needn't be verified again:
   * until they expire, their key is removed, or tokens that are used more take their place. `false`: each is verified each time.
   */
  cache?: CacheOptions | false
  /** Finds the token instead of the Authorization header; undefined where there is none. */
  getToken?: (request: Request) => string | undefined | Promise<string | undefined>
  /** Makes `request.user` of the claims, for each request. */
  formatUser?: (claims: Claims, request: Request) => User | Promise<User>
  /**
   * Whether a token has been revoked; asked for each request once the token is verified. The token passes on
   * `false` only. Know a token by its `jti`: an
   * ECDSA signature has a second valid spelling, so that the text of a token doesn't name it.
   */
  isRevoked?: (claims: Claims, request: Request) => boolean | Promise<boolean>
  /**
   * The realm in every challenge.
   *
   * @defaultValue `'api'`
   */
  realm?: string
  /**
   * Lets issuers and key sets be fetched over http. For tests and closed networks only.
   *
   * @defaultValue false
   */
  allowInsecureIssuers?: boolean
}

/**
 * What a verified token must permit, all of it.
 *
 * @typeParam Request - What `check` gets as a request.
 * @typeParam Claims - The claims of a verified token.
 */
export interface AuthorizationRule<Request, Claims> {
  /** Scopes that the token must have, all of them. */
  scope?: string | readonly string[]
  /** Scopes of which the token must have one. */
  anyScope?: string | readonly string[]
  /** Values that claims must be or, where the claim is a list, hold: each a value or a list of which one will do. */
  claims?: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>
  /**
   * How the user must have authenticated (RFC 9470): the authentication contexts of which the token's `acr` must be
   * one, in the order of preference.
   */
  acr?: string | readonly string[]
  /**
   * How long ago the user may have authenticated by the token's `auth_time`, which is then required (RFC 9470): in
   * milliseconds, at least 1,000. The challenge has it in whole seconds.
   */
  maxAuthAge?: number
  /** A rule of your own, asked last. Passes on `true` only. */
  check?: (claims: Claims, request: Request) => boolean | Promise<boolean>
}

/** One issuer at the top level, or several under `issuers`. */
export type OneOrMoreIssuers =
  | (IssuerOptions & { issuers?: never })
  | ({
      /** The issuers, or a function that finds them by their names. */
      issuers: readonly IssuerOptions[] | IssuerFinder
    } & {
      [Name in keyof TokenOptions | 'domain' | 'issuer' | 'jwksUri' | 'secret']?: never
    })
