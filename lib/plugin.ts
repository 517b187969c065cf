import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { authorizationRefusal, readAuthorization } from './authorization/rule.ts'
import { assertFree, name, type AuthenticateHook, type AuthorizeOptions } from './decorators.ts'
import { diagnostics } from './channels.ts'
import { JwksAuthError, refusals } from './errors.ts'
import { hook, isThenable, type Outcome, type Step } from './hook.ts'
import { challengeIn } from './http/www-authenticate.ts'
import { bearerToken } from './http/authorization-header.ts'
import { setRefusalHeaders } from './http/refusal-headers.ts'
import { OpenApi } from './authorization/openapi.ts'
import type { OneOrMoreIssuers, PluginOptions } from './options/types.ts'
import { ResourceServer, type Verdict } from './access-token-verifier.ts'
import { readSettings } from './options/plugin-options.ts'
import type { AccessToken } from './jwt/token.ts'
import { FinderFailure } from './issuers/issuer-resolver.ts'
import type { JwksAuthClaims, JwksAuthUser } from './types.ts'

/** Options of the plugin: one issuer at the top level or several under `issuers`, and what holds for all of them. */
export type JwksAuthOptions = PluginOptions<FastifyRequest, JwksAuthClaims, JwksAuthUser> & OneOrMoreIssuers

type Verdicts = Record<symbol, AccessToken | null | undefined>

const plugin: FastifyPluginAsync<JwksAuthOptions> = async (app, options) => {
  const { issuers, realm, ...context } = readSettings(options)
  const { getToken, formatUser, isRevoked } = options
  assertFree(app)
  // A name of this instance's own: another one has a verdict of its own, and a scope that was built earlier none.
  const verified = Symbol(name)
  const verdicts = (request: FastifyRequest): Verdicts => request as unknown as Verdicts
  const baseChallenge = challengeIn(realm)
  // What an application finds by itself is the token, and nothing around it.
  const tokenIn = getToken ? (token: string): string => token : bearerToken
  const server = new ResourceServer(issuers, { ...context, log: app.log, tokenIn })
  const openApi = new OpenApi(issuers)

  /** The refusal, once the reply and those who watch know of it. */
  const refused = (
    reply: FastifyReply,
    refusal: JwksAuthError,
    from?: AccessToken | string,
  ): JwksAuthError => {
    setRefusalHeaders(reply, baseChallenge, refusal)
    if (diagnostics.tokenRefused.hasSubscribers) {
      diagnostics.tokenRefused.publish({ code: refusal.code, ...server.describe(from) })
    }
    return refusal
  }

  /** What comes of an error: an issuer that can't be reached is a refusal, anything else is the application's own. */
  const failed = (reply: FastifyReply, error: unknown, credentials: string): JwksAuthError => {
    // All who waited for one answer were told of the same error, and each has a reply of its own.
    if (error instanceof JwksAuthError) return refused(reply, new JwksAuthError(error), credentials)
    throw error instanceof FinderFailure ? error.cause : error
  }

  const authenticate = (request: FastifyRequest, reply: FastifyReply, isOptional: boolean): Outcome => {
    if (verdicts(request)[verified]) return undefined
    if (!getToken) return verify(request, reply, isOptional, request.headers.authorization)
    const found = getToken(request)
    return isThenable(found)
      ? Promise.resolve(found).then((token) => verify(request, reply, isOptional, token))
      : verify(request, reply, isOptional, found)
  }

  const verify = (
    request: FastifyRequest,
    reply: FastifyReply,
    isOptional: boolean,
    credentials: string | null | undefined,
  ): Outcome => {
    if (credentials === undefined || credentials === null) {
      if (!isOptional) return refused(reply, new JwksAuthError(refusals.noCredentials))
      request.user ??= null as unknown as JwksAuthUser
      return undefined
    }
    if (typeof credentials !== 'string') return refused(reply, new JwksAuthError(refusals.unreadable))
    let verdict: Verdict | Promise<Verdict>
    try {
      verdict = server.verify(credentials)
    } catch (error) {
      return failed(reply, error, credentials)
    }
    if (!(verdict instanceof Promise)) return accept(request, reply, verdict, credentials)
    return verdict.then(
      (settled) => accept(request, reply, settled, credentials),
      (error: unknown) => failed(reply, error, credentials),
    )
  }

  const accept = (
    request: FastifyRequest,
    reply: FastifyReply,
    verdict: Verdict,
    credentials: string,
  ): Outcome => {
    if (verdict instanceof JwksAuthError) return refused(reply, verdict, credentials)
    if (isRevoked || formatUser) return askCallbacks(request, reply, verdict)
    return admit(request, verdict, verdict.claims as JwksAuthUser)
  }

  const askCallbacks = async (
    request: FastifyRequest,
    reply: FastifyReply,
    accessToken: AccessToken,
  ): Promise<Error | undefined> => {
    const claims = accessToken.claims as JwksAuthClaims
    // A forgotten return is no clean bill.
    if (isRevoked && (await isRevoked(claims, request)) !== false) {
      return refused(reply, new JwksAuthError(refusals.revoked), accessToken)
    }
    const user = formatUser ? await formatUser(claims, request) : (claims as JwksAuthUser)
    return admit(request, accessToken, user)
  }

  const admit = (request: FastifyRequest, accessToken: AccessToken, user: JwksAuthUser): undefined => {
    request.user = user
    request.accessToken = accessToken as FastifyRequest['accessToken']
    verdicts(request)[verified] = accessToken
  }

  const authorize = (rule: AuthorizeOptions): AuthenticateHook => {
    const authorization = readAuthorization(rule)
    const { check } = rule
    const demand = (request: FastifyRequest, reply: FastifyReply): Outcome => {
      const accessToken = verdicts(request)[verified]!
      const { claims } = accessToken
      const refusal = authorizationRefusal(authorization, claims)
      if (refusal) return refused(reply, new JwksAuthError(refusal), accessToken)
      if (!check) return undefined
      const decide = (isPermitted: boolean): Error | undefined =>
        isPermitted === true
          ? undefined
          : refused(reply, new JwksAuthError(authorization.notPermitted), accessToken)
      const isPermitted = check(claims as JwksAuthClaims, request)
      return isThenable(isPermitted) ? Promise.resolve(isPermitted).then(decide) : decide(isPermitted)
    }
    const step: Step<FastifyRequest, FastifyReply> = (request, reply) => {
      const outcome = authenticate(request, reply, false)
      if (outcome instanceof Promise) return outcome.then((error) => error ?? demand(request, reply))
      return outcome ?? demand(request, reply)
    }
    return openApi.describe(hook(step), authorization) as AuthenticateHook
  }

  app.decorateRequest('user', null as unknown as JwksAuthUser)
  app.decorateRequest('accessToken', null)
  app.decorateRequest(verified, null)
  const required: Step<FastifyRequest, FastifyReply> = (request, reply) => authenticate(request, reply, false)
  const optional: Step<FastifyRequest, FastifyReply> = (request, reply) => authenticate(request, reply, true)
  app.decorate('authenticate', openApi.describe(hook(required), {}) as AuthenticateHook)
  const optionalHook = openApi.describe(hook(optional), { isOptional: true })
  app.decorate('authenticateOptional', optionalHook as AuthenticateHook)
  app.decorate('authorize', authorize)
  app.decorate('jwksStatus', () => server.status())
  app.decorate('openApiSecurity', () => openApi.security())
  if (context.jwks.prefetch) app.addHook('onReady', () => server.prefetch())
  // Before the requests that wait for a fetch are waited for.
  app.addHook('preClose', async () => server.close())
}

/** The plugin. A CommonJS program gets it by `require`, with all that the package exports beside it. */
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
