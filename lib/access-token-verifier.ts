import { diagnostics, truncateKid } from './channels.ts'
import { elapsedTime } from './clock.ts'
import { JwksAuthError, refusals } from './errors.ts'
import type { MaybePromise } from './hook.ts'
import { Hints } from './hints/hints.ts'
import { isInMilliseconds } from './hints/verified-tokens.ts'
import type { Credentials, ExtractToken, Scheme } from './http/authorization-header.ts'
import type { Issuer } from './issuers/issuer.ts'
import { createIssuerResolver, type IssuerResolver } from './issuers/issuer-resolver.ts'
import type { IssuerContext, KeyVerifier } from './issuers/key-source.ts'
import type { KeyStatus } from './jwks/jwks-state.ts'
import { validateClaims, validateTimes, type ClaimFailure, type ClaimRules } from './jwt/claims.ts'
import { freezeDeeply } from './jwt/json.ts'
import { decodeToken, type AccessToken, type UnverifiedToken } from './jwt/token.ts'
import type { IssuerSettings } from './options/issuer-options.ts'
import type { CacheSettings } from './options/plugin-options.ts'
import type { SenderConstraintSettings } from './options/sender-constraint-options.ts'
import type { ResolveIssuer } from './options/issuer-types.ts'
import type { ProofFailure } from './proof/dpop-proof.ts'
import { PossessionCheck } from './proof/possession.ts'
import type { TokenRequest } from './proof/request.ts'
import { TokenCache, type CachedToken } from './token-cache.ts'

export interface AccessTokenVerifierContext
  extends Omit<IssuerContext, 'onRemoved'>, SenderConstraintSettings {
  /** Undefined: no token is cached. */
  readonly cache: CacheSettings | undefined
  /** Reads the token and its scheme from an Authorization header, or from what the application returned instead. */
  readonly extractToken: ExtractToken
}

/** A token that passes through the checks: the text, its scheme, the request that presents it, and its content. */
interface Candidate extends Credentials, UnverifiedToken {
  readonly request: TokenRequest
  /** The cache entry of this token. Its signature and claims passed before. */
  readonly cached: CachedToken | undefined
  /** Milliseconds of `elapsedTime`. */
  readonly startedAt: number
}

/** The accepted token, or the refusal. */
export type VerificationResult = AccessToken | JwksAuthError

/** Verifies access tokens without a framework. The methods are the checks, in their order. */
export class AccessTokenVerifier {
  readonly hints: Hints
  readonly #issuers: IssuerResolver
  readonly #cache: TokenCache | undefined
  readonly #possession: PossessionCheck
  readonly #extractToken: ExtractToken

  constructor(issuers: readonly IssuerSettings[] | ResolveIssuer, context: AccessTokenVerifierContext) {
    const cache = context.cache && new TokenCache(context.cache)
    this.#cache = cache
    this.#extractToken = context.extractToken
    this.#possession = new PossessionCheck(context, context.jwks.timeout, context.log)
    // A resolver function has no list of issuers to compare with.
    this.hints = new Hints(typeof issuers === 'function' ? [] : issuers, context.log)
    this.#issuers = createIssuerResolver(issuers, {
      ...context,
      onRemoved: (verifiers) => cache?.evictByKey(verifiers),
    })
  }

  /**
   * Verifies the access token of a request. The result is a promise only if the issuer or the application has to be waited for. The
   * `iss` of the token selects one of the application's issuers. No URL is built from a token.
   *
   * @throws {JwksAuthError} `jwks_unavailable`, as a rejection.
   * @throws {IssuerResolverError} The function `issuers` failed.
   */
  verify(authorization: string, request: TokenRequest): MaybePromise<VerificationResult> {
    const now = Date.now()
    const startedAt = elapsedTime(now)
    const found = this.#cache?.find(authorization)
    const isFresh = found !== undefined && startedAt < found.verifier.freshUntil
    const seen = found?.matchHeader(authorization)
    if (seen && isFresh) return this.#validateTimes(found!, seen, found!.scheme, request, startedAt, now)

    const credentials = this.#extractToken(authorization)
    if (credentials instanceof JwksAuthError) return credentials
    const { scheme, token } = credentials
    const known = seen ?? (found && this.#cache!.matchToken(found, credentials, authorization))
    if (known && isFresh) return this.#validateTimes(found!, known, scheme, request, startedAt, now)

    const content = known ?? decodeToken(token)
    if (!content) {
      this.hints.malformedToken(token)
      return new JwksAuthError(refusals.malformedToken)
    }
    const { header, claims } = content
    const cached = known && found
    // Without a spread, which takes as long as decoding the token.
    return this.#resolveIssuer({ scheme, token, request, header, claims, cached, startedAt })
  }

  /**
   * What events may contain of a token: its issuer if it is a known one, and its `kid`.
   *
   * @param source - A verified token, or the Authorization header of a request.
   */
  eventDetails(source: AccessToken | string | undefined): {
    issuer: string | undefined
    kid: string | undefined
  } {
    const token = typeof source === 'string' ? this.#decode(source) : source
    const issuer = token && this.#issuers.has(token.claims.iss) ? (token.claims.iss as string) : undefined
    return { issuer, kid: truncateKid(token?.header.kid) }
  }

  /**
   * The nonce for an answer (RFC 9449 section 8), if it needs one.
   *
   * @param isRefused - Whether the answer is a 401 to a request with the DPoP scheme.
   */
  nonceFor(request: TokenRequest, isRefused: boolean): string | undefined {
    return this.#possession.nonceFor(request, isRefused)
  }

  /** The state of the keys of each known issuer that publishes them. */
  status(): KeyStatus[] {
    return this.#issuers.known().flatMap((issuer) => issuer.status() ?? [])
  }

  /** Fetches the keys of every known issuer. */
  async prefetch(): Promise<void> {
    await Promise.all(this.#issuers.known().map((issuer) => issuer.prefetch()))
  }

  /** Aborts the fetches in flight, and clears tokens from memory. */
  close(): void {
    this.#cache?.clearHeaders()
    this.#issuers.close()
  }

  #decode(authorization: string): UnverifiedToken | undefined {
    const credentials = this.#extractToken(authorization)
    return credentials instanceof JwksAuthError ? undefined : decodeToken(credentials.token)
  }

  #resolveIssuer(candidate: Candidate): MaybePromise<VerificationResult> {
    const issuer = this.#issuers.resolve(candidate.claims.iss)
    if (!(issuer instanceof Promise)) return this.#findKey(candidate, issuer)
    return issuer.then((resolved) => this.#findKey(candidate, resolved))
  }

  #findKey(candidate: Candidate, issuer: Issuer | undefined): MaybePromise<VerificationResult> {
    if (!issuer) {
      this.hints.unknownIssuer(candidate)
      return new JwksAuthError(refusals.claims)
    }
    const { token, header, cached } = candidate
    const verifier = issuer.verify(token, header, cached?.verifier)
    if (!(verifier instanceof Promise)) return this.#validate(candidate, verifier)
    return verifier.then((found) => this.#validate(candidate, found))
  }

  #validate(candidate: Candidate, verifier: KeyVerifier | JwksAuthError): MaybePromise<VerificationResult> {
    if (verifier instanceof JwksAuthError) {
      this.hints.unverified(verifier, candidate)
      return verifier
    }
    const { token: raw, scheme, request, header, claims, cached, startedAt } = candidate
    // Not the time at the start: the token may have waited for a fetch.
    const now = Date.now()
    if (cached?.verifier === verifier) {
      const accessToken = Object.freeze({ claims, header, raw }) as AccessToken
      return this.#validateTimes(cached, accessToken, scheme, request, startedAt, now)
    }
    const { failure, times } = validateClaims(verifier.rules, header, claims, now)
    if (times) {
      if (isInMilliseconds(claims.exp)) this.hints.neverExpiring(claims)
      freezeDeeply(claims)
      const accessToken = Object.freeze({ claims, header, raw }) as AccessToken
      this.#cache?.add(accessToken, verifier, times)
      if (!failure) return this.#accept(accessToken, verifier.rules, scheme, request, false, startedAt)
    }
    return this.#refuse(failure!, verifier.rules, claims, now)
  }

  #validateTimes(
    cached: CachedToken,
    accessToken: AccessToken,
    scheme: Scheme | undefined,
    request: TokenRequest,
    startedAt: number,
    now: number,
  ): MaybePromise<VerificationResult> {
    const failure = validateTimes(cached.times, now)
    const { rules } = cached.verifier
    if (!failure) return this.#accept(accessToken, rules, scheme, request, true, startedAt)
    return this.#refuse(failure, rules, accessToken.claims, now)
  }

  /** The last step of every token. Parameters instead of an object, because a bearer token that was seen before costs a microsecond. */
  #accept(
    accessToken: AccessToken,
    rules: ClaimRules,
    scheme: Scheme | undefined,
    request: TokenRequest,
    cached: boolean,
    startedAt: number,
  ): MaybePromise<VerificationResult> {
    if (!this.#possession.concerns(accessToken, scheme)) return accepted(accessToken, cached, startedAt)
    const onChecked = (failure: ProofFailure | undefined): VerificationResult => {
      if (!failure) return accepted(accessToken, cached, startedAt)
      this.hints.refusedProof(failure)
      return new JwksAuthError(failure.refusal)
    }
    const failure = this.#possession.check(accessToken, scheme, request, rules)
    return failure instanceof Promise ? failure.then(onChecked) : onChecked(failure)
  }

  #refuse(
    failure: ClaimFailure,
    rules: ClaimRules,
    claims: UnverifiedToken['claims'],
    now: number,
  ): JwksAuthError {
    this.hints.refused(failure, rules, claims, now)
    return new JwksAuthError(failure.refusal)
  }
}

function accepted(accessToken: AccessToken, cached: boolean, startedAt: number): AccessToken {
  if (diagnostics.tokenAccepted.hasSubscribers) {
    const { iss: issuer } = accessToken.claims
    const kid = truncateKid(accessToken.header.kid)
    diagnostics.tokenAccepted.publish({ issuer, kid, cached, duration: elapsedTime() - startedAt })
  }
  return accessToken
}
