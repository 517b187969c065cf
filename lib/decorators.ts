import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawServerBase,
  RouteGenericInterface,
} from 'fastify'
import type { OpenApiSecurity } from './authorization/openapi.ts'
import type { ProtectedResourceMetadata } from './http/resource-metadata.ts'
import type { KeyStatus } from './jwks/jwks-state.ts'
import type { AccessToken } from './jwt/token.ts'
import type { AuthorizationRule } from './options/types.ts'
import type { JwksAuthClaims, UserDecorator } from './types.ts'

/** A hook for `onRequest` to `preHandler`, on any kind of server. It may also be awaited directly. */
export type AuthenticateHook = <Server extends RawServerBase>(
  request: FastifyRequest<RouteGenericInterface, Server>,
  reply: FastifyReply<RouteGenericInterface, Server>,
) => Promise<void>

/** The rule of `authorize`. */
export type AuthorizeOptions = AuthorizationRule<FastifyRequest, JwksAuthClaims>

/** Makes a hook of a rule. */
export type Authorize = (rule: AuthorizeOptions) => AuthenticateHook

/** What a route requires: nothing, a token or none, or a token that satisfies a rule. */
export type RouteAuthorization = false | 'optional' | AuthorizeOptions

declare module 'fastify' {
  interface FastifyInstance {
    /** Requires a valid access token and sets `request.user`. */
    authenticate: AuthenticateHook
    /** Like `authenticate`, but a request without an Authorization header passes with `request.user === null`. */
    authenticateOptional: AuthenticateHook
    /** Returns a hook that authenticates the request, unless that has happened already, and then checks the rule. */
    authorize: Authorize
    /** The state of the keys of each issuer that publishes them, for a readiness route. It waits for nothing. */
    jwksStatus: () => KeyStatus[]
    /** The issuers as security schemes and the scopes of the routes, for the OpenAPI document of @fastify/swagger. */
    openApiSecurity: () => OpenApiSecurity
    /** The metadata document of the option `resource` (RFC 9728), deeply frozen. Without the option it throws. */
    protectedResourceMetadata: () => ProtectedResourceMetadata
  }

  interface FastifyContextConfig {
    /**
     * What the route requires, with and without `global`: `false` for no token, `'optional'` for a token or none, or a rule. It applies
     * in the scope of the plugin.
     */
    jwksAuth?: RouteAuthorization | undefined
  }

  interface FastifyRequest extends UserDecorator {
    /** The verified access token; `null` if the request was not authenticated. */
    accessToken: (AccessToken & { readonly claims: JwksAuthClaims }) | null
  }
}

export const name = 'fastify-jwks-auth'

const instanceDecorators = [
  'authenticate',
  'authenticateOptional',
  'authorize',
  'jwksStatus',
  'openApiSecurity',
  'protectedResourceMetadata',
]

/**
 * Throws if a decorator exists. Two plugins in one scope would overwrite each other's results.
 *
 * @param user - The name of the decorator that holds the user.
 */
export function assertNoConflict(app: FastifyInstance, user: string): void {
  const taken =
    [user, 'accessToken'].find((decorator) => app.hasRequestDecorator(decorator)) ??
    instanceDecorators.find((decorator) => app.hasDecorator(decorator))
  if (taken === undefined) return
  const cure =
    taken === user
      ? 'if another plugin such as @fastify/jwt needs it, set "decoratorName" to a free name; '
      : ''
  throw new Error(
    `${name}: the decorator "${taken}" exists already, from this plugin or from another one; ${cure}to accept several issuers, list them in "issuers"`,
  )
}
