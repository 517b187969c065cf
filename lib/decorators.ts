import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawServerBase,
  RouteGenericInterface,
} from 'fastify'
import type { OpenApiSecurity } from './authorization/openapi.ts'
import type { KeyStatus } from './jwks/jwks-state.ts'
import type { AccessToken } from './jwt/token.ts'
import type { AuthorizationRule } from './options/types.ts'
import type { JwksAuthClaims, JwksAuthUser } from './types.ts'

/** A hook for `onRequest` to `preHandler`, on any kind of server. It may also be awaited directly. */
export type AuthenticateHook = <Server extends RawServerBase>(
  request: FastifyRequest<RouteGenericInterface, Server>,
  reply: FastifyReply<RouteGenericInterface, Server>,
) => Promise<void>

/** The rule of `authorize`. */
export type AuthorizeOptions = AuthorizationRule<FastifyRequest, JwksAuthClaims>

declare module 'fastify' {
  interface FastifyInstance {
    /** Requires a valid access token and sets `request.user`. */
    authenticate: AuthenticateHook
    /** Like `authenticate`, but a request without an Authorization header passes with `request.user === null`. */
    authenticateOptional: AuthenticateHook
    /** Returns a hook that authenticates the request, unless that has happened already, and then checks the rule. */
    authorize: (rule: AuthorizeOptions) => AuthenticateHook
    /** The state of the keys of each issuer that publishes them, for a readiness route. It waits for nothing. */
    jwksStatus: () => KeyStatus[]
    /** The issuers as security schemes and the scopes of the routes, for the OpenAPI document of @fastify/swagger. */
    openApiSecurity: () => OpenApiSecurity
  }

  interface FastifyRequest {
    /**
     * The deeply frozen claims of the token, or the result of `formatUser`. The type is non-null. Behind `authenticateOptional` it
     * can be `null`; check it.
     */
    user: JwksAuthUser
    /** The verified access token; `null` if the request was not authenticated. */
    accessToken: (AccessToken & { readonly claims: JwksAuthClaims }) | null
  }
}

export const name = 'fastify-jwks-auth'

const requestDecorators = ['user', 'accessToken']
const instanceDecorators = [
  'authenticate',
  'authenticateOptional',
  'authorize',
  'jwksStatus',
  'openApiSecurity',
]

/** Throws if a decorator exists. Two plugins in one scope would overwrite each other's results. */
export function assertNoConflict(app: FastifyInstance): void {
  const taken =
    requestDecorators.find((decorator) => app.hasRequestDecorator(decorator)) ??
    instanceDecorators.find((decorator) => app.hasDecorator(decorator))
  if (taken !== undefined) {
    throw new Error(
      `${name}: the decorator "${taken}" exists already, from this plugin or from another one; to accept several issuers, list them in "issuers"`,
    )
  }
}
