import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AccessTokenVerifier } from './access-token-verifier.ts'
import { OpenApi } from './authorization/openapi.ts'
import { diagnostics } from './channels.ts'
import { assertNoConflict, name, type AuthenticateHook, type Authorize } from './decorators.ts'
import { JwksAuthError } from './errors.ts'
import { authenticate, authenticateOptional, authenticatorKey, authorize, createHooks } from './hooks.ts'
import { createTokenExtractor, type Credentials } from './http/authorization-header.ts'
import { serveResourceMetadata } from './metadata-route.ts'
import { invalidOption } from './options/assert.ts'
import { readPluginOptions } from './options/plugin-options.ts'
import { dpopChallengeOf } from './options/sender-constraint-options.ts'
import { findShortPluginTimes } from './options/times.ts'
import type { OneOrMoreIssuers, PluginOptions } from './options/types.ts'
import { RequestAuthenticator } from './request-authenticator.ts'
import { protectRoutes } from './route-hook.ts'
import type { JwksAuthClaims, JwksAuthUser } from './types.ts'

/** Options of the plugin: one issuer at the top level or several under `issuers`, and options that apply to all of them. */
export type JwksAuthOptions = PluginOptions<FastifyRequest, JwksAuthClaims, JwksAuthUser> & OneOrMoreIssuers

const plugin: FastifyPluginAsync<JwksAuthOptions> = async (app, options) => {
  const settings = readPluginOptions(options)
  const { issuers, decoratorName, resource, ...context } = settings
  assertNoConflict(app, decoratorName)
  const verifier = new AccessTokenVerifier(issuers, {
    ...context,
    log: app.log,
    extractToken: options.getToken
      ? (token): Credentials => ({ scheme: undefined, token })
      : createTokenExtractor(context.dpop !== undefined),
  })
  const authenticator = new RequestAuthenticator(verifier, settings, options)
  const openApi = new OpenApi(issuers, settings.global, dpopChallengeOf(settings))
  const hooks = createHooks(() => authenticator, verifier.hints)
  verifier.hints.shortTimes(findShortPluginTimes(options))

  app.decorateRequest(decoratorName, null)
  app.decorateRequest('accessToken', null)
  app.decorateRequest(authenticator.key, null)
  app.decorate(authenticatorKey, authenticator)
  app.decorate('authenticate', hooks.authenticate)
  app.decorate('authenticateOptional', hooks.authenticateOptional)
  app.decorate('authorize', hooks.authorize)
  app.decorate('jwksStatus', () => verifier.status())
  app.decorate('openApiSecurity', () => openApi.security())
  app.decorate('protectedResourceMetadata', () => {
    if (!resource) invalidOption('resource', 'is required for app.protectedResourceMetadata()')
    return resource.metadata
  })
  protectRoutes(app, settings.global, verifier.hints)
  if (resource?.isServed) serveResourceMetadata(app, resource)
  if (context.jwks.prefetch) app.addHook('onReady', () => verifier.prefetch())
  // Fastify waits for open requests after preClose. Requests that wait for a fetch end with it.
  app.addHook('preClose', async () => verifier.close())
}

/** The plugin. For CommonJS it is the result of `require`, with the other exports of the package as properties. */
export interface JwksAuth extends FastifyPluginAsync<JwksAuthOptions> {
  /** The plugin itself. */
  readonly default: JwksAuth
  /** A hook that requires a valid access token and sets `request.user`. */
  readonly authenticate: AuthenticateHook
  /** Like `authenticate`, but a request without an Authorization header passes with `request.user === null`. */
  readonly authenticateOptional: AuthenticateHook
  /** Returns a hook that authenticates the request, unless that has happened already, and then checks the rule. */
  readonly authorize: Authorize
  /** The class of every refusal. */
  readonly JwksAuthError: typeof JwksAuthError
  /** The plugin's channels. */
  readonly diagnostics: typeof diagnostics
}

/** Protects an API with OAuth 2.0 access tokens. */
const jwksAuth: JwksAuth = Object.assign(fp(plugin, { name, fastify: '5.x' }) as JwksAuth, {
  authenticate,
  authenticateOptional,
  authorize,
  JwksAuthError,
  diagnostics,
})

export default jwksAuth
