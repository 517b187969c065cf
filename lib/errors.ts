import { setStackTraceLimit } from './stack-traces.ts'

/** The `code` of a refusal, stable across releases: branch on this, never on the message. */
export type JwksAuthErrorCode =
  | 'authorization_header_missing'
  | 'invalid_header'
  | 'invalid_algorithm'
  | 'token_invalid_signature'
  | 'token_expired'
  | 'token_not_active'
  | 'invalid_audience'
  | 'invalid_claims'
  | 'token_revoked'
  | 'insufficient_scope'
  | 'insufficient_user_authentication'
  | 'jwks_unavailable'

/** The `error` of a Bearer challenge (RFC 6750 section 3.1, RFC 9470 section 3). */
export type ChallengeError =
  'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'insufficient_user_authentication'

/** What a refusal answers. */
export interface Refusal {
  /** Tells refusals apart. */
  readonly code: JwksAuthErrorCode
  /** The status of the answer. */
  readonly statusCode: 401 | 403 | 503
  /** Public words, for whoever reads the answer. */
  readonly message: string
  /** Without it the challenge names the scheme alone. */
  readonly challengeError?: ChallengeError | undefined
  /** The scopes that would do, for the challenge. */
  readonly scope?: string | undefined
  /** The authentication contexts that would do, space-separated, for the challenge (RFC 9470 section 3). */
  readonly acrValues?: string | undefined
  /** Seconds that may have passed since the user authenticated, for the challenge (RFC 9470 section 3). */
  readonly maxAge?: number | undefined
  /** Seconds, for `Retry-After`. */
  readonly retryAfter?: number | undefined
}

/**
 * A request that was refused. Its message is made of public words only: nothing in it comes from the token,
 * from the issuer's answer or from a library. It has no stack trace. Inside the plugin it is returned and not thrown, since
 * strangers decide how often.
 */
export class JwksAuthError extends Error implements Refusal {
  override readonly name = 'JwksAuthError'
  readonly code: JwksAuthErrorCode
  readonly statusCode: 401 | 403 | 503
  readonly challengeError: ChallengeError | undefined
  readonly scope: string | undefined
  readonly acrValues: string | undefined
  readonly maxAge: number | undefined
  readonly retryAfter: number | undefined

  constructor(refusal: Refusal) {
    const limit = setStackTraceLimit(0)
    super(refusal.message)
    setStackTraceLimit(limit)
    this.code = refusal.code
    this.statusCode = refusal.statusCode
    this.challengeError = refusal.challengeError
    this.scope = refusal.scope
    this.acrValues = refusal.acrValues
    this.maxAge = refusal.maxAge
    this.retryAfter = refusal.retryAfter
  }
}

const unauthorized = (
  code: JwksAuthErrorCode,
  message: string,
  challengeError?: ChallengeError,
): Refusal => ({ code, statusCode: 401, message, challengeError })

type RefusalName =
  | 'noCredentials'
  | 'otherScheme'
  | 'noToken'
  | 'manyParts'
  | 'unreadable'
  | 'algorithm'
  | 'noKey'
  | 'signature'
  | 'claims'
  | 'expired'
  | 'notActive'
  | 'revoked'

/** The refusals whose words are always the same. */
export const refusals: Readonly<Record<RefusalName, Refusal>> = {
  noCredentials: unauthorized('authorization_header_missing', 'Authorization header is expected'),
  otherScheme: unauthorized('invalid_header', 'Authorization header must start with Bearer'),
  noToken: unauthorized('invalid_header', 'Token not found', 'invalid_request'),
  manyParts: unauthorized('invalid_header', 'Authorization header must be Bearer token', 'invalid_request'),
  unreadable: unauthorized('invalid_header', 'Unable to parse authentication token.', 'invalid_token'),
  algorithm: unauthorized('invalid_algorithm', 'the signing algorithm is not allowed', 'invalid_token'),
  noKey: unauthorized('invalid_header', 'Unable to find appropriate key', 'invalid_token'),
  signature: unauthorized('token_invalid_signature', 'token signature is invalid', 'invalid_token'),
  claims: unauthorized(
    'invalid_claims',
    'incorrect claims, please check the audience and issuer',
    'invalid_token',
  ),
  expired: unauthorized('token_expired', 'token is expired', 'invalid_token'),
  notActive: unauthorized('token_not_active', 'token is not active yet', 'invalid_token'),
  revoked: unauthorized('token_revoked', 'token has been revoked', 'invalid_token'),
}

export function audienceRefusal(expected: readonly string[]): Refusal {
  const message = `the audience does not match. expected: ${expected.join(', ')}`
  return unauthorized('invalid_audience', message, 'invalid_token')
}

/** @param scope - The scopes that would do, space-separated; undefined where scopes aren't what is missing. */
export function permissionRefusal(scope: string | undefined): Refusal {
  return {
    code: 'insufficient_scope',
    statusCode: 403,
    message: 'the access token does not permit this request',
    challengeError: 'insufficient_scope',
    scope,
  }
}

/**
 * The token is good, and another one would be got by authenticating the user again (RFC 9470 section 3).
 *
 * @param acrValues - The authentication contexts that would do, space-separated.
 * @param maxAge - In seconds.
 */
export function authenticationRefusal(acrValues: string | undefined, maxAge: number | undefined): Refusal {
  return {
    code: 'insufficient_user_authentication',
    statusCode: 401,
    message: 'the authentication of the user does not suffice for this request',
    challengeError: 'insufficient_user_authentication',
    acrValues,
    maxAge,
  }
}

/** The issuer's fault and not the token's, so there is no challenge (RFC 9110 section 15.6.4). */
export function unavailableRefusal(retryAfter: number): Refusal {
  return {
    code: 'jwks_unavailable',
    statusCode: 503,
    message: 'the keys of the issuer are unavailable, please try again later',
    retryAfter,
  }
}
