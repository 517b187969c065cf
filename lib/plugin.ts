import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { JwksAuthError, refusals } from './errors.ts'
import { bearerChallenge, withChallenge } from './http/challenge.ts'
import { bearerToken } from './http/credentials.ts'
import type { OneOrMoreIssuers, PluginOptions } from './options.ts'
import { ResourceServer, type AccessToken } from './resource-server.ts'
import { readSettings } from './settings.ts'
import type { JwksAuthClaims, JwksAuthUser } from './types.ts'

/** Options of the plugin: one issuer at the top level or several under `issuers`, and what holds for all of them. */
export type JwksAuthOptions = PluginOptions<FastifyRequest, JwksAuthClaims, JwksAuthUser> & OneOrMoreIssuers

/** A hook from `onRequest` to `preHandler`, which may be awaited directly as well. */
export type AuthenticateHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

declare module 'fastify' {
  interface FastifyInstance {
    /** Requires a valid access token and sets `request.user`. */
    authenticate: AuthenticateHook
    /** As `authenticate`, but lets a request without an Authorization header pass with `request.user === null`. */
    authenticateOptional: AuthenticateHook
  }

  interface FastifyRequest {
    /** The deeply frozen claims of the token, or what `formatUser` made; `null` where nothing was authenticated. */
    user: JwksAuthUser
    /** The verified access token; `null` where nothing was authenticated. */
    accessToken: (AccessToken & { readonly claims: JwksAuthClaims }) | null
  }
}

const name = 'fastify-jwks-auth'

const plugin: FastifyPluginAsync<JwksAuthOptions> = async (app, options) => {
  const settings = readSettings<FastifyRequest, JwksAuthClaims, JwksAuthUser>(options)
  const { getToken, formatUser, jwks, realm } = settings
  assertFree(app)
  const server = new ResourceServer(settings.issuers, { ...settings, log: app.log })

  const verify = async (credentials: string | undefined): Promise<AccessToken> => {
    if (getToken && credentials === undefined) throw new JwksAuthError(refusals.noCredentials)
    return server.verify(getToken ? credentials : bearerToken(credentials))
  }

  const authenticate = async (
    request: FastifyRequest,
    reply: FastifyReply,
    optional: boolean,
  ): Promise<void> => {
    if (request.accessToken !== null) return
    const credentials = getToken ? (getToken(request) ?? undefined) : request.headers.authorization
    if (optional && credentials === undefined) return
    const accessToken = await verify(credentials).catch((error: unknown) => {
      if (error instanceof JwksAuthError) answer(reply, error, realm)
      throw error
    })
    const claims = accessToken.claims as JwksAuthClaims
    request.user = formatUser ? await formatUser(claims, request) : (claims as JwksAuthUser)
    request.accessToken = { ...accessToken, claims }
  }

  app.decorateRequest('user', null as unknown as JwksAuthUser)
  app.decorateRequest('accessToken', null)
  app.decorate('authenticate', (request, reply) => authenticate(request, reply, false))
  app.decorate('authenticateOptional', (request, reply) => authenticate(request, reply, true))
  if (jwks.prefetch) app.addHook('onReady', () => server.prefetch())
  app.addHook('onClose', async () => server.close())
}

/** Two of them in one scope would overwrite each other's verdicts. */
function assertFree(app: FastifyInstance): void {
  const taken =
    ['user', 'accessToken'].find((decorator) => app.hasRequestDecorator(decorator)) ??
    ['authenticate', 'authenticateOptional'].find((decorator) => app.hasDecorator(decorator))
  if (taken !== undefined) {
    throw new Error(`${name}: the decorator "${taken}" is there already, by this plugin or by another one`)
  }
}

/** Sets the headers of a refusal before it is thrown: an application's own error handler keeps them. */
function answer(reply: FastifyReply, error: JwksAuthError, realm: string): void {
  if (error.retryAfter !== undefined) {
    reply.header('retry-after', error.retryAfter)
  } else {
    const challenge = bearerChallenge(realm, error)
    reply.header('www-authenticate', withChallenge(reply.getHeader('www-authenticate'), challenge))
  }
}

/** Protects an API with OAuth 2.0 access tokens. */
const jwksAuth: FastifyPluginAsync<JwksAuthOptions> = fp(plugin, { name, fastify: '5.x' })

export default jwksAuth
