import { expectTypeOf } from 'expect-type'
import Fastify, {
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
  type onRequestAsyncHookHandler,
  type preHandlerAsyncHookHandler,
  type preParsingAsyncHookHandler,
  type preValidationAsyncHookHandler,
} from 'fastify'
import jwksAuth, {
  diagnostics,
  JwksAuthError,
  type AccessToken,
  type AccessTokenClaims,
  type AuthenticateHook,
  type ChallengeError,
  type JoseHeader,
  type JwksAuthErrorCode,
  type JwksAuthOptions,
  type JwksAuthUser,
  type KeyStatus,
  type SecurityScheme,
} from '../../../lib/index.ts'

/** Is only compiled: the plugin, its decorators and its errors as an application uses them. */

// The first example of the README.
const app = Fastify()
await app.register(jwksAuth, { domain: 'tenant.eu.auth0.com', audience: 'https://api.example.com' })
app.get('/ping', async () => 'public')
app.get('/secured/ping', { preHandler: app.authenticate }, async (request) => request.user.sub)

expectTypeOf(jwksAuth).toExtend<FastifyPluginAsync<JwksAuthOptions>>()
// @ts-expect-error - options are required
app.register(jwksAuth)
// @ts-expect-error - an audience is required
app.register(jwksAuth, { domain: 'tenant.eu.auth0.com' })
// @ts-expect-error - may be undefined
app.register(jwksAuth, { domain: 'tenant.eu.auth0.com', audience: process.env.API_ID })
// @ts-expect-error - no such option
app.register(jwksAuth, { domain: 'tenant.eu.auth0.com', audience: 'api', leeway: 5 })
app.register(jwksAuth, { domain: 'tenant.eu.auth0.com', audience: 'api', prefix: '/api', logLevel: 'warn' })
app.register(jwksAuth, () => ({ domain: 'tenant.eu.auth0.com', audience: 'api' }))

// Hooks of every stage, alone and in lists, and awaited directly.
for (const hook of [app.authenticate, app.authenticateOptional, app.authorize({ scope: 'read' })]) {
  expectTypeOf(hook).toEqualTypeOf<AuthenticateHook>()
  expectTypeOf(hook).toExtend<onRequestAsyncHookHandler>()
  expectTypeOf(hook).toExtend<preParsingAsyncHookHandler>()
  expectTypeOf(hook).toExtend<preValidationAsyncHookHandler>()
  expectTypeOf(hook).toExtend<preHandlerAsyncHookHandler>()
  expectTypeOf(hook).returns.toEqualTypeOf<Promise<void>>()
  expectTypeOf(hook).toBeCallableWith({} as FastifyRequest, {} as FastifyReply)
  app.get(
    '/hooks',
    { onRequest: hook, preParsing: hook, preValidation: hook, preHandler: hook },
    async () => 'pong',
  )
  app.get('/lists', { onRequest: [hook], preParsing: [hook], preHandler: [hook] }, async () => 'pong')
  app.addHook('onRequest', hook)
  app.addHook('preParsing', hook)
  app.addHook('preValidation', hook)
  app.addHook('preHandler', hook)
  app.get('/awaited', async (request, reply) => hook(request, reply))
}
app.get<{ Params: { id: string }; Body: { name: string } }>(
  '/typed/:id',
  { onRequest: app.authenticate },
  async ({ params, user }) => [params.id, user.sub],
)
// @ts-expect-error - no such decorator
void app.authorise

// A rule has only known members.
app.authorize({ scope: ['read', 'write'], anyScope: 'admin', claims: { role: ['admin', 1, true] } })
app.authorize({ acr: 'urn:acme:mfa', maxAuthAge: 300_000 })
app.authorize({ acr: ['phr', 'phrh'] as const })
app.authorize({
  async check(claims, request) {
    expectTypeOf(claims).toExtend<AccessTokenClaims>()
    expectTypeOf(request).toEqualTypeOf<FastifyRequest>()
    return claims.sub === request.id
  },
})
// @ts-expect-error
app.authorize()
// @ts-expect-error
app.authorize('read')
// @ts-expect-error - no such rule
app.authorize({ scopes: 'read' })
// @ts-expect-error
app.authorize({ scope: 1 })
// @ts-expect-error
app.authorize({ claims: { role: null } })
// @ts-expect-error
app.authorize({ acr: 1 })
// @ts-expect-error
app.authorize({ maxAuthAge: '5m' })
// @ts-expect-error - true or false
app.authorize({ check: () => 'yes' })

// The members of a request.
app.get('/request', async (request) => {
  expectTypeOf(request.user).toEqualTypeOf<JwksAuthUser>()
  expectTypeOf(request.user.sub).toEqualTypeOf<string | undefined>()
  expectTypeOf(request.user.aud).toEqualTypeOf<string | readonly string[] | undefined>()
  expectTypeOf(request.user.permissions).toEqualTypeOf<unknown>()
  // @ts-expect-error - claims are frozen
  request.user.sub = 'someone else'

  expectTypeOf(request.accessToken).toBeNullable()
  expectTypeOf(request.accessToken!).toExtend<AccessToken>()
  expectTypeOf(request.accessToken!.raw).toEqualTypeOf<string>()
  expectTypeOf(request.accessToken!.header).toEqualTypeOf<JoseHeader>()
  expectTypeOf(request.accessToken!.claims.exp).toEqualTypeOf<number>()
  // @ts-expect-error - may be null
  void request.accessToken.raw
})

// Errors have a closed list of codes.
app.setErrorHandler((error, _request, reply) => {
  if (!(error instanceof JwksAuthError)) throw error
  expectTypeOf(error).toExtend<Error>()
  expectTypeOf(error.statusCode).toEqualTypeOf<401 | 403 | 503>()
  expectTypeOf(error.challengeError).toEqualTypeOf<ChallengeError | undefined>()
  expectTypeOf(error.acrValues).toEqualTypeOf<string | undefined>()
  expectTypeOf(error.maxAge).toEqualTypeOf<number | undefined>()
  expectTypeOf(error.retryAfter).toEqualTypeOf<number | undefined>()
  expectTypeOf(error.reason).toEqualTypeOf<string | undefined>()
  expectTypeOf(error.code).toEqualTypeOf<JwksAuthErrorCode>()
  // @ts-expect-error - read-only
  error.code = 'invalid_header'
  return reply.code(error.statusCode).send({ code: error.code, description: error.message })
})
expectTypeOf<JwksAuthErrorCode>().toEqualTypeOf<
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
>()
expectTypeOf<ChallengeError>().toEqualTypeOf<
  | 'invalid_request'
  | 'invalid_token'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'insufficient_scope'
  | 'insufficient_user_authentication'
>()

// The OpenAPI types don't need @fastify/swagger.
const { components, transform } = app.openApiSecurity()
expectTypeOf(components.securitySchemes).toEqualTypeOf<Record<string, SecurityScheme>>()
expectTypeOf(transform({ schema: { summary: 'A' }, url: '/', route: {} })).toEqualTypeOf<{
  schema: { summary: string }
  url: string
}>()

// Status and events.
expectTypeOf(app.jwksStatus()).toEqualTypeOf<KeyStatus[]>()
expectTypeOf<KeyStatus['state']>().toEqualTypeOf<'idle' | 'fresh' | 'stale' | 'unavailable'>()
diagnostics.tokenRefused.subscribe(({ code, issuer, kid }, name) => {
  expectTypeOf(code).toEqualTypeOf<string>()
  expectTypeOf(issuer).toEqualTypeOf<string | undefined>()
  expectTypeOf(kid).toEqualTypeOf<string | undefined>()
  expectTypeOf(name).toEqualTypeOf<string | symbol>()
})
diagnostics.tokenAccepted.subscribe(({ cached, duration }) => {
  expectTypeOf(cached).toEqualTypeOf<boolean>()
  expectTypeOf(duration).toEqualTypeOf<number>()
})
// @ts-expect-error - no such event
diagnostics.tokenLost.subscribe(() => {})
// @ts-expect-error - an event holds no claims
diagnostics.tokenAccepted.subscribe(({ claims }) => claims)
