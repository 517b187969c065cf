/** The `code` of a refusal. It is stable across releases, unlike the message: branch on the code. */
export type JwksAuthErrorCode =
  | 'authorization_header_missing'
  | 'invalid_header'
  | 'invalid_algorithm'
  | 'token_invalid_signature'
  | 'token_expired'
  | 'token_not_active'
  | 'invalid_audience'
  | 'invalid_claims'
  | 'invalid_binding'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'token_revoked'
  | 'insufficient_scope'
  | 'insufficient_user_authentication'
  | 'jwks_unavailable'
  | 'replay_store_unavailable'

/** The `error` of a challenge (RFC 6750 section 3.1, RFC 9449 sections 7.1 and 9, RFC 9470 section 3). */
export type ChallengeError =
  | 'invalid_request'
  | 'invalid_token'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'insufficient_scope'
  | 'insufficient_user_authentication'

/** The answer to a request that is refused. */
export interface Refusal {
  /** Tells refusals apart. */
  readonly code: JwksAuthErrorCode
  /** The HTTP status of the answer. */
  readonly statusCode: 401 | 403 | 503
  /** The text of the answer. It is public. */
  readonly message: string
  /** The `error` of the challenge. Without it the challenge names the scheme and the realm only. */
  readonly challengeError?: ChallengeError | undefined
  /** The required scopes for the challenge, space-separated. */
  readonly scope?: string | undefined
  /** The accepted authentication contexts for the challenge, space-separated (RFC 9470 section 3). */
  readonly acrValues?: string | undefined
  /** The maximum age of the user's authentication for the challenge, in seconds (RFC 9470 section 3). */
  readonly maxAge?: number | undefined
  /** The value of the `Retry-After` header, in seconds. */
  readonly retryAfter?: number | undefined
  /** Why a DPoP proof was refused, for a log. It contains no text of the proof. */
  readonly reason?: string | undefined
}

/**
 * The error of a request that was refused. It contains no text of the token, of the issuer's answer or of a library. It has
 * no stack trace. Inside the plugin it is returned and not thrown, because clients decide how often requests are refused.
 */
export class JwksAuthError extends Error implements Refusal {
  override readonly name: 'JwksAuthError'
  readonly code: JwksAuthErrorCode
  readonly statusCode: 401 | 403 | 503
  readonly challengeError: ChallengeError | undefined
  readonly scope: string | undefined
  readonly acrValues: string | undefined
  readonly maxAge: number | undefined
  readonly retryAfter: number | undefined
  readonly reason: string | undefined

  constructor(refusal: Refusal) {
    const limit = setStackTraceLimit(0)
    try {
      super(refusal.message)
    } finally {
      setStackTraceLimit(limit)
    }
    this.name = 'JwksAuthError'
    this.code = refusal.code
    this.statusCode = refusal.statusCode
    this.challengeError = refusal.challengeError
    this.scope = refusal.scope
    this.acrValues = refusal.acrValues
    this.maxAge = refusal.maxAge
    this.retryAfter = refusal.retryAfter
    this.reason = refusal.reason
  }
}

/**
 * Sets the number of stack frames of new errors in the whole process. The caller restores it at once. Collecting frames is the
 * most expensive part of a refusal, and frames of a refusal explain nothing.
 *
 * @returns The number before.
 */
export function setStackTraceLimit(limit: number): number {
  const before = Error.stackTraceLimit
  // An assignment would throw in a process that freezes its intrinsics.
  Reflect.set(Error, 'stackTraceLimit', limit)
  return before
}

const unauthorized = (
  code: JwksAuthErrorCode,
  message: string,
  challengeError?: ChallengeError,
): Refusal => ({ code, statusCode: 401, message, challengeError })

type RefusalName =
  | 'missingHeader'
  | 'unsupportedScheme'
  | 'neitherScheme'
  | 'missingToken'
  | 'malformedHeader'
  | 'malformedToken'
  | 'algorithm'
  | 'missingKey'
  | 'signature'
  | 'claims'
  | 'expired'
  | 'notActive'
  | 'binding'
  | 'proof'
  | 'nonce'
  | 'revoked'

/** The refusals whose text is always the same. */
export const refusals: Readonly<Record<RefusalName, Refusal>> = {
  missingHeader: unauthorized('authorization_header_missing', 'Authorization header is expected'),
  unsupportedScheme: unauthorized('invalid_header', 'Authorization header must start with Bearer'),
  neitherScheme: unauthorized('invalid_header', 'Authorization header must start with Bearer or DPoP'),
  missingToken: unauthorized('invalid_header', 'Token not found', 'invalid_request'),
  malformedHeader: unauthorized(
    'invalid_header',
    'Authorization header must be Bearer token',
    'invalid_request',
  ),
  malformedToken: unauthorized('invalid_header', 'Unable to parse authentication token.', 'invalid_token'),
  algorithm: unauthorized('invalid_algorithm', 'the signing algorithm is not allowed', 'invalid_token'),
  missingKey: unauthorized('invalid_header', 'Unable to find appropriate key', 'invalid_token'),
  signature: unauthorized('token_invalid_signature', 'token signature is invalid', 'invalid_token'),
  claims: unauthorized(
    'invalid_claims',
    'incorrect claims, please check the audience and issuer',
    'invalid_token',
  ),
  expired: unauthorized('token_expired', 'token is expired', 'invalid_token'),
  notActive: unauthorized('token_not_active', 'token is not active yet', 'invalid_token'),
  binding: unauthorized(
    'invalid_binding',
    'the access token is not bound to what the request proves',
    'invalid_token',
  ),
  proof: unauthorized('invalid_dpop_proof', 'the DPoP proof is not valid', 'invalid_dpop_proof'),
  nonce: unauthorized('use_dpop_nonce', 'the DPoP proof needs the nonce of this answer', 'use_dpop_nonce'),
  revoked: unauthorized('token_revoked', 'token has been revoked', 'invalid_token'),
}

/** @param reason - It contains no text of the proof. */
export function invalidProof(reason: string): Refusal {
  return { ...refusals.proof, reason }
}

/** The store of used proofs is at fault and not the proof. So there is no challenge (RFC 9110 section 15.6.4). */
export const replayStoreUnavailable: Refusal = {
  code: 'replay_store_unavailable',
  statusCode: 503,
  message: "used proofs can't be looked up, please try again later",
  retryAfter: 1,
}

export function invalidAudience(expected: readonly string[]): Refusal {
  const message = `the audience does not match. expected: ${expected.join(', ')}`
  return unauthorized('invalid_audience', message, 'invalid_token')
}

/** @param scope - The required scopes, space-separated; undefined if the rule has none. */
export function insufficientScope(scope?: string): Refusal {
  return {
    code: 'insufficient_scope',
    statusCode: 403,
    message: 'the access token does not permit this request',
    challengeError: 'insufficient_scope',
    scope,
  }
}

/**
 * The token is valid, but the user has to authenticate again (RFC 9470 section 3).
 *
 * @param acrValues - The accepted authentication contexts, space-separated.
 * @param maxAge - In seconds.
 * @param scope - The required scopes, space-separated; undefined if the rule has none.
 */
export function insufficientAuthentication(acrValues?: string, maxAge?: number, scope?: string): Refusal {
  return {
    code: 'insufficient_user_authentication',
    statusCode: 401,
    message: 'the authentication of the user does not suffice for this request',
    challengeError: 'insufficient_user_authentication',
    acrValues,
    maxAge,
    scope,
  }
}

/**
 * The issuer is at fault and not the token. So there is no challenge (RFC 9110 section 15.6.4).
 *
 * @param retryAfter - In seconds.
 */
export function jwksUnavailable(retryAfter: number): Refusal {
  return {
    code: 'jwks_unavailable',
    statusCode: 503,
    message: 'the keys of the issuer are unavailable, please try again later',
    retryAfter,
  }
}
