import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccessTokenVerifier, VerificationResult } from './access-token-verifier.ts'
import { checkRule, type Rule } from './authorization/rule.ts'
import { name, type AuthorizeOptions } from './decorators.ts'
import { JwksAuthError, refusals, type Refusal } from './errors.ts'
import type { Hints } from './hints/hints.ts'
import { isThenable, type CheckResult, type MaybePromise } from './hook.ts'
import { IssuerResolverError } from './issuers/issuer-resolver.ts'
import type { AccessToken } from './jwt/token.ts'
import { isForMetadata } from './metadata-route.ts'
import type { PluginSettings } from './options/plugin-options.ts'
import type { PluginOptions } from './options/types.ts'
import { Refuser } from './refuser.ts'
import type { JwksAuthClaims, JwksAuthUser } from './types.ts'

/** The callbacks of the application. */
type Callbacks = Pick<
  PluginOptions<FastifyRequest, JwksAuthClaims, JwksAuthUser>,
  'getToken' | 'formatUser' | 'isRevoked'
>

type Settings = Pick<PluginSettings, 'decoratorName' | 'dpop' | 'mtls' | 'realm' | 'resource' | 'scopes'>

type VerifiedTokens = Record<symbol, AccessToken | null | undefined>
type Users = Record<string, JwksAuthUser | null | undefined>

/** Authenticates and authorizes Fastify requests. Each registration of the plugin has one. */
export class RequestAuthenticator {
  /**
   * The property of a request that holds its verified token. A request may pass through several registrations of the plugin, so
   * each has a property of its own.
   */
  readonly key: symbol = Symbol(name)
  readonly scopes: Settings['scopes']
  /** The identifier of this API, if it is described as a protected resource. */
  readonly resource: string | undefined
  readonly #verifier: AccessTokenVerifier
  readonly #refuser: Refuser
  readonly #decoratorName: string
  readonly #getToken: Callbacks['getToken']
  readonly #formatUser: Callbacks['formatUser']
  readonly #isRevoked: Callbacks['isRevoked']

  /** @param callbacks - They are read once. */
  constructor(verifier: AccessTokenVerifier, settings: Settings, callbacks: Callbacks) {
    const { decoratorName, resource, scopes } = settings
    this.#verifier = verifier
    this.#refuser = new Refuser(verifier, settings, callbacks.getToken !== undefined)
    this.#decoratorName = decoratorName
    this.scopes = scopes
    this.resource = resource?.metadata.resource
    this.#getToken = callbacks.getToken
    this.#formatUser = callbacks.formatUser
    this.#isRevoked = callbacks.isRevoked
  }

  get hints(): Hints {
    return this.#verifier.hints
  }

  /** @param isOptional - Whether a request without a token passes. */
  authenticate(request: FastifyRequest, reply: FastifyReply, isOptional: boolean): CheckResult {
    if ((request as unknown as VerifiedTokens)[this.key] || isForMetadata(request)) return undefined
    if (!this.#getToken) return this.#verify(request, reply, isOptional, request.headers.authorization)
    const getToken = this.#getToken
    const found = getToken(request)
    return isThenable(found)
      ? Promise.resolve(found).then((token) => this.#verify(request, reply, isOptional, token))
      : this.#verify(request, reply, isOptional, found)
  }

  /** Authenticates the request, unless that has happened already, and then checks the rule. */
  authorize(request: FastifyRequest, reply: FastifyReply, rule: Rule): CheckResult {
    if (isForMetadata(request)) return undefined
    const result = this.authenticateFor(rule.insufficientScope.scope, request, reply)
    if (result instanceof Promise) {
      return result.then((error) => error ?? this.#checkRule(request, reply, rule))
    }
    return result ?? this.#checkRule(request, reply, rule)
  }

  /**
   * Authenticates a request that needs these scopes, which the challenge of a 401 names.
   *
   * @param scope - Space-separated; undefined if there are none.
   */
  authenticateFor(scope: string | undefined, request: FastifyRequest, reply: FastifyReply): CheckResult {
    const result = this.authenticate(request, reply, false)
    if (scope === undefined || result === undefined) return result
    return result instanceof Promise
      ? result.then((error) => error && this.#refuser.nameScopes(reply, error, scope))
      : this.#refuser.nameScopes(reply, result, scope)
  }

  /** The verified token of a request that was authenticated. */
  accessTokenOf(request: FastifyRequest): AccessToken {
    return (request as unknown as VerifiedTokens)[this.key]!
  }

  /** Refuses a request that was authenticated. */
  refuse(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): JwksAuthError {
    return this.#refuser.refuse(reply, new JwksAuthError(refusal), this.accessTokenOf(request))
  }

  /** @param authorization - The Authorization header, or the result of `getToken`. */
  #verify(
    request: FastifyRequest,
    reply: FastifyReply,
    isOptional: boolean,
    authorization: string | null | undefined,
  ): CheckResult {
    if (authorization === undefined || authorization === null) {
      if (!isOptional) {
        this.#verifier.hints.missingToken(request)
        return this.#refuser.refuse(reply, new JwksAuthError(refusals.missingHeader))
      }
      ;(request as unknown as Users)[this.#decoratorName] ??= null
      return undefined
    }
    if (typeof authorization !== 'string') {
      this.#verifier.hints.tokenNotText(authorization)
      return this.#refuser.refuse(reply, new JwksAuthError(refusals.malformedToken))
    }
    let result: MaybePromise<VerificationResult>
    try {
      result = this.#verifier.verify(authorization, request)
    } catch (error) {
      return this.#onError(reply, error, authorization)
    }
    if (!(result instanceof Promise)) return this.#onResult(request, reply, result, authorization)
    return result.then(
      (settled) => this.#onResult(request, reply, settled, authorization),
      (error: unknown) => this.#onError(reply, error, authorization),
    )
  }

  #onResult(
    request: FastifyRequest,
    reply: FastifyReply,
    result: VerificationResult,
    authorization: string,
  ): CheckResult {
    if (result instanceof JwksAuthError) return this.#refuser.refuse(reply, result, authorization)
    this.#refuser.setNonce(reply, false)
    if (this.#isRevoked || this.#formatUser) return this.#callCallbacks(request, reply, result)
    return this.#setUser(request, result, result.claims as JwksAuthUser)
  }

  /** An issuer that can't be reached is a refusal. Any other error is the application's and passes through. */
  #onError(reply: FastifyReply, error: unknown, authorization: string): JwksAuthError {
    // Requests that waited for the same fetch got the same error object. Each answer needs its own.
    if (error instanceof JwksAuthError)
      return this.#refuser.refuse(reply, new JwksAuthError(error), authorization)
    throw error instanceof IssuerResolverError ? error.cause : error
  }

  async #callCallbacks(
    request: FastifyRequest,
    reply: FastifyReply,
    accessToken: AccessToken,
  ): Promise<Error | undefined> {
    const isRevoked = this.#isRevoked
    const formatUser = this.#formatUser
    const claims = accessToken.claims as JwksAuthClaims
    // Only false accepts: a callback without a return statement must not.
    const answer: unknown = isRevoked ? await isRevoked(claims, request) : false
    if (answer !== false) {
      this.#verifier.hints.notBoolean('isRevoked', answer)
      return this.#refuser.refuse(reply, new JwksAuthError(refusals.revoked), accessToken)
    }
    const user = formatUser ? await formatUser(claims, request) : (claims as JwksAuthUser)
    return this.#setUser(request, accessToken, user)
  }

  #setUser(request: FastifyRequest, accessToken: AccessToken, user: JwksAuthUser): undefined {
    ;(request as unknown as Users)[this.#decoratorName] = user
    request.accessToken = accessToken as FastifyRequest['accessToken']
    ;(request as unknown as VerifiedTokens)[this.key] = accessToken
  }

  /** The request was authenticated before. */
  #checkRule(request: FastifyRequest, reply: FastifyReply, rule: Rule): CheckResult {
    const accessToken = this.accessTokenOf(request)
    const { claims } = accessToken
    const refusal = checkRule(rule, claims, this.scopes)
    if (refusal) {
      this.#verifier.hints.refusedByRule(rule, this.scopes.scopeClaims, claims)
      return this.#refuser.refuse(reply, new JwksAuthError(refusal), accessToken)
    }
    const check = rule.check as AuthorizeOptions['check']
    if (!check) return undefined
    const onCheck = (isPermitted: boolean): Error | undefined => {
      if (isPermitted === true) return undefined
      this.#verifier.hints.notBoolean('check', isPermitted)
      return this.#refuser.refuse(reply, new JwksAuthError(rule.insufficientScope), accessToken)
    }
    const isPermitted = check(claims as JwksAuthClaims, request)
    return isThenable(isPermitted) ? Promise.resolve(isPermitted).then(onCheck) : onCheck(isPermitted)
  }
}
