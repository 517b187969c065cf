import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AccessTokenVerifier, type VerificationResult } from './access-token-verifier.ts'
import { OpenApi } from './authorization/openapi.ts'
import { checkRule, readRule } from './authorization/rule.ts'
import { diagnostics } from './channels.ts'
import { assertNoConflict, name, type AuthenticateHook, type AuthorizeOptions } from './decorators.ts'
import { JwksAuthError, refusals } from './errors.ts'
import { createHook, isThenable, type CheckResult, type Handler, type MaybePromise } from './hook.ts'
import { extractToken, type Credentials } from './http/authorization-header.ts'
import { setRefusalHeaders } from './http/refusal-headers.ts'
import { challengePrefix } from './http/www-authenticate.ts'
import { IssuerResolverError } from './issuers/issuer-resolver.ts'
import type { AccessToken } from './jwt/token.ts'
import { readPluginOptions } from './options/plugin-options.ts'
import type { OneOrMoreIssuers, PluginOptions } from './options/types.ts'
import type { JwksAuthClaims, JwksAuthUser } from './types.ts'

/** Options of the plugin: one issuer at the top level or several under `issuers`, and options that apply to all of them. */
export type JwksAuthOptions = PluginOptions<FastifyRequest, JwksAuthClaims, JwksAuthUser> & OneOrMoreIssuers

type VerifiedTokens = Record<symbol, AccessToken | null | undefined>

const plugin: FastifyPluginAsync<JwksAuthOptions> = async (app, options) => {
  const { issuers, realm, ...context } = readPluginOptions(options)
  const { getToken, formatUser, isRevoked } = options
  assertNoConflict(app)
  // A request may pass through several instances of the plugin. Each one has a decorator of its own for its verified token.
  const key = Symbol(name)
  const verifiedTokens = (request: FastifyRequest): VerifiedTokens => request as unknown as VerifiedTokens
  const prefix = challengePrefix(realm)
  const verifier = new AccessTokenVerifier(issuers, {
    ...context,
    log: app.log,
    extractToken: getToken ? (token): Credentials => ({ scheme: undefined, token }) : extractToken,
  })
  const openApi = new OpenApi(issuers)

  /** Returns the refusal, after its headers are set and its event is published. */
  const refuse = (
    reply: FastifyReply,
    refusal: JwksAuthError,
    source?: AccessToken | string,
  ): JwksAuthError => {
    setRefusalHeaders(reply, prefix, refusal)
    if (diagnostics.tokenRefused.hasSubscribers) {
      diagnostics.tokenRefused.publish({ code: refusal.code, ...verifier.eventDetails(source) })
    }
    return refusal
  }

  /** An issuer that can't be reached is a refusal. Any other error is the application's and passes through. */
  const onError = (reply: FastifyReply, error: unknown, authorization: string): JwksAuthError => {
    // Requests that waited for the same fetch got the same error object. Each answer needs its own.
    if (error instanceof JwksAuthError) return refuse(reply, new JwksAuthError(error), authorization)
    throw error instanceof IssuerResolverError ? error.cause : error
  }

  const authenticate = (request: FastifyRequest, reply: FastifyReply, isOptional: boolean): CheckResult => {
    if (verifiedTokens(request)[key]) return undefined
    if (!getToken) return verify(request, reply, isOptional, request.headers.authorization)
    const found = getToken(request)
    return isThenable(found)
      ? Promise.resolve(found).then((token) => verify(request, reply, isOptional, token))
      : verify(request, reply, isOptional, found)
  }

  /** @param authorization - The Authorization header, or the result of `getToken`. */
  const verify = (
    request: FastifyRequest,
    reply: FastifyReply,
    isOptional: boolean,
    authorization: string | null | undefined,
  ): CheckResult => {
    if (authorization === undefined || authorization === null) {
      if (!isOptional) return refuse(reply, new JwksAuthError(refusals.missingHeader))
      request.user ??= null as unknown as JwksAuthUser
      return undefined
    }
    if (typeof authorization !== 'string') return refuse(reply, new JwksAuthError(refusals.malformedToken))
    let result: MaybePromise<VerificationResult>
    try {
      result = verifier.verify(authorization, request)
    } catch (error) {
      return onError(reply, error, authorization)
    }
    if (!(result instanceof Promise)) return onResult(request, reply, result, authorization)
    return result.then(
      (settled) => onResult(request, reply, settled, authorization),
      (error: unknown) => onError(reply, error, authorization),
    )
  }

  const onResult = (
    request: FastifyRequest,
    reply: FastifyReply,
    result: VerificationResult,
    authorization: string,
  ): CheckResult => {
    if (result instanceof JwksAuthError) return refuse(reply, result, authorization)
    if (isRevoked || formatUser) return callCallbacks(request, reply, result)
    return setUser(request, result, result.claims as JwksAuthUser)
  }

  const callCallbacks = async (
    request: FastifyRequest,
    reply: FastifyReply,
    accessToken: AccessToken,
  ): Promise<Error | undefined> => {
    const claims = accessToken.claims as JwksAuthClaims
    // Only false accepts: a callback without a return statement must not.
    if (isRevoked && (await isRevoked(claims, request)) !== false) {
      return refuse(reply, new JwksAuthError(refusals.revoked), accessToken)
    }
    const user = formatUser ? await formatUser(claims, request) : (claims as JwksAuthUser)
    return setUser(request, accessToken, user)
  }

  const setUser = (request: FastifyRequest, accessToken: AccessToken, user: JwksAuthUser): undefined => {
    request.user = user
    request.accessToken = accessToken as FastifyRequest['accessToken']
    verifiedTokens(request)[key] = accessToken
  }

  const authorize = (ruleOptions: AuthorizeOptions): AuthenticateHook => {
    const rule = readRule(ruleOptions)
    const { check } = ruleOptions
    const authorizeRequest = (request: FastifyRequest, reply: FastifyReply): CheckResult => {
      const accessToken = verifiedTokens(request)[key]!
      const { claims } = accessToken
      const refusal = checkRule(rule, claims)
      if (refusal) return refuse(reply, new JwksAuthError(refusal), accessToken)
      if (!check) return undefined
      const onCheck = (isPermitted: boolean): Error | undefined =>
        isPermitted === true
          ? undefined
          : refuse(reply, new JwksAuthError(rule.insufficientScope), accessToken)
      const isPermitted = check(claims as JwksAuthClaims, request)
      return isThenable(isPermitted) ? Promise.resolve(isPermitted).then(onCheck) : onCheck(isPermitted)
    }
    const handler: Handler<FastifyRequest, FastifyReply> = (request, reply) => {
      const result = authenticate(request, reply, false)
      if (result instanceof Promise) return result.then((error) => error ?? authorizeRequest(request, reply))
      return result ?? authorizeRequest(request, reply)
    }
    return openApi.document(createHook(handler), rule) as AuthenticateHook
  }

  app.decorateRequest('user', null as unknown as JwksAuthUser)
  app.decorateRequest('accessToken', null)
  app.decorateRequest(key, null)
  const required: Handler<FastifyRequest, FastifyReply> = (request, reply) =>
    authenticate(request, reply, false)
  const optional: Handler<FastifyRequest, FastifyReply> = (request, reply) =>
    authenticate(request, reply, true)
  app.decorate('authenticate', openApi.document(createHook(required), {}) as AuthenticateHook)
  const optionalHook = openApi.document(createHook(optional), { isOptional: true })
  app.decorate('authenticateOptional', optionalHook as AuthenticateHook)
  app.decorate('authorize', authorize)
  app.decorate('jwksStatus', () => verifier.status())
  app.decorate('openApiSecurity', () => openApi.security())
  if (context.jwks.prefetch) app.addHook('onReady', () => verifier.prefetch())
  // Fastify waits for open requests after preClose. Requests that wait for a fetch end with it.
  app.addHook('preClose', async () => verifier.close())
}

/** The plugin. For CommonJS it is the result of `require`, with the other exports of the package as properties. */
export interface JwksAuth extends FastifyPluginAsync<JwksAuthOptions> {
  /** The plugin itself. */
  readonly default: JwksAuth
  /** The class of every refusal. */
  readonly JwksAuthError: typeof JwksAuthError
  /** The plugin's channels. */
  readonly diagnostics: typeof diagnostics
}

/** Protects an API with OAuth 2.0 access tokens. */
const jwksAuth: JwksAuth = Object.assign(fp(plugin, { name, fastify: '5.x' }) as JwksAuth, {
  JwksAuthError,
  diagnostics,
})

export default jwksAuth
