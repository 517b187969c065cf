import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  RawServerBase,
  RouteGenericInterface,
} from 'fastify'
import fp from 'fastify-plugin'
import { permits, readAuthorization } from './authorization.ts'
import { JwksAuthError, permissionRefusal, refusals } from './errors.ts'
import { bearerChallenge, withChallenge } from './http/challenge.ts'
import { bearerToken } from './http/credentials.ts'
import type { AuthorizationRule, OneOrMoreIssuers, PluginOptions } from './options.ts'
import { ResourceServer, type AccessToken } from './resource-server.ts'
import { readSettings } from './settings.ts'
import type { JwksAuthClaims, JwksAuthUser } from './types.ts'

/** Options of the plugin: one issuer at the top level or several under `issuers`, and what holds for all of them. */
export type JwksAuthOptions = PluginOptions<FastifyRequest, JwksAuthClaims, JwksAuthUser> & OneOrMoreIssuers

/** A hook from `onRequest` to `preHandler` on any kind of server, which may be awaited directly as well. */
export type AuthenticateHook = <Server extends RawServerBase>(
  request: FastifyRequest<RouteGenericInterface, Server>,
  reply: FastifyReply<RouteGenericInterface, Server>,
) => Promise<void>

/** What `app.authorize` demands of a token. */
export type AuthorizeOptions = AuthorizationRule<FastifyRequest, JwksAuthClaims>

declare module 'fastify' {
  interface FastifyInstance {
    /** Requires a valid access token and sets `request.user`. */
    authenticate: AuthenticateHook
    /** As `authenticate`, but lets a request without an Authorization header pass with `request.user === null`. */
    authenticateOptional: AuthenticateHook
    /** Makes a hook that authenticates where that has not happened yet, and then demands what the rule says. */
    authorize: (rule: AuthorizeOptions) => AuthenticateHook
  }

  interface FastifyRequest {
    /** The deeply frozen claims of the token, or what `formatUser` made; `null` where nothing was authenticated. */
    user: JwksAuthUser
    /** The verified access token; `null` where nothing was authenticated. */
    accessToken: (AccessToken & { readonly claims: JwksAuthClaims }) | null
  }
}

/** A hook as it is written here. Callbacks see the requests of any server as those of Node's own. */
type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

const name = 'fastify-jwks-auth'

const plugin: FastifyPluginAsync<JwksAuthOptions> = async (app, options) => {
  const { issuers, jwks, realm, allowInsecureIssuers } = readSettings(options)
  const { getToken, formatUser, isRevoked } = options
  assertFree(app)
  // By request and not as a property of it: a scope that was built earlier lacks the decorators, and another instance
  // of the plugin has a verdict of its own.
  const verified = new WeakMap<FastifyRequest, AccessToken>()
  const server = new ResourceServer(issuers, { jwks, allowInsecureIssuers, log: app.log })

  /** Undefined for a request that brings no token at all, where that is allowed. */
  const verify = async (
    request: FastifyRequest,
    reply: FastifyReply,
    isOptional: boolean,
  ): Promise<AccessToken | undefined> => {
    const found = await getToken?.(request)
    try {
      const token = getToken ? (found ?? undefined) : bearerToken(request.headers.authorization)
      if (token !== undefined) return await server.verify(token)
      if (isOptional) return undefined
      throw new JwksAuthError(refusals.noCredentials)
    } catch (error) {
      throw error instanceof JwksAuthError ? challenged(reply, error, realm) : error
    }
  }

  const authenticate = async (
    request: FastifyRequest,
    reply: FastifyReply,
    isOptional: boolean,
  ): Promise<void> => {
    if (verified.has(request)) return
    const accessToken = (await verify(request, reply, isOptional)) as
      FastifyRequest['accessToken'] | undefined
    if (!accessToken) {
      request.user ??= null as unknown as JwksAuthUser
      return
    }
    const { claims } = accessToken
    // A forgotten return is no clean bill.
    if (isRevoked && (await isRevoked(claims, request)) !== false) {
      throw challenged(reply, new JwksAuthError(refusals.revoked), realm)
    }
    request.user = formatUser ? await formatUser(claims, request) : (claims as JwksAuthUser)
    request.accessToken = accessToken
    verified.set(request, accessToken)
  }

  const authorize = (rule: AuthorizeOptions): Hook => {
    const authorization = readAuthorization(rule)
    const { check } = rule
    return async (request, reply) => {
      await authenticate(request, reply, false)
      const claims = verified.get(request)!.claims as JwksAuthClaims
      if (permits(authorization, claims) && (!check || (await check(claims, request)) === true)) return
      throw challenged(reply, new JwksAuthError(permissionRefusal(authorization.scopes)), realm)
    }
  }

  app.decorateRequest('user', null as unknown as JwksAuthUser)
  app.decorateRequest('accessToken', null)
  const required: Hook = (request, reply) => authenticate(request, reply, false)
  const optional: Hook = (request, reply) => authenticate(request, reply, true)
  app.decorate('authenticate', required as AuthenticateHook)
  app.decorate('authenticateOptional', optional as AuthenticateHook)
  app.decorate('authorize', authorize as FastifyInstance['authorize'])
  if (jwks.prefetch) app.addHook('onReady', () => server.prefetch())
  app.addHook('onClose', async () => server.close())
}

/** Two of them in one scope would overwrite each other's verdicts. */
function assertFree(app: FastifyInstance): void {
  const taken =
    ['user', 'accessToken'].find((decorator) => app.hasRequestDecorator(decorator)) ??
    ['authenticate', 'authenticateOptional', 'authorize'].find((decorator) => app.hasDecorator(decorator))
  if (taken !== undefined) {
    throw new Error(
      `${name}: the decorator "${taken}" is there already, by this plugin or by another one; several issuers go into "issuers"`,
    )
  }
}

/** Sets the headers of a refusal, before it is thrown: an application's own error handler keeps them. */
function challenged(reply: FastifyReply, error: JwksAuthError, realm: string): JwksAuthError {
  if (error.retryAfter !== undefined) {
    reply.header('retry-after', error.retryAfter)
  } else {
    const challenge = bearerChallenge(realm, error)
    reply.header('www-authenticate', withChallenge(reply.getHeader('www-authenticate'), challenge))
  }
  return error
}

/** The plugin. A CommonJS program gets it by `require`, with all that the package exports beside it. */
export interface JwksAuth extends FastifyPluginAsync<JwksAuthOptions> {
  readonly default: JwksAuth
  readonly JwksAuthError: typeof JwksAuthError
}

/** Protects an API with OAuth 2.0 access tokens. */
const jwksAuth: JwksAuth = Object.assign(fp(plugin, { name, fastify: '5.x' }) as JwksAuth, { JwksAuthError })

export default jwksAuth
