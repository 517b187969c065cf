import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawServerBase,
  RouteGenericInterface,
} from 'fastify'
import type { KeyStatus } from './jwks/jwks-state.ts'
import type { OpenApiSecurity } from './authorization/openapi.ts'
import type { AuthorizationRule } from './options/types.ts'
import type { AccessToken } from './jwt/token.ts'
import type { JwksAuthClaims, JwksAuthUser } from './types.ts'

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
    /** What is known of the keys of each issuer that publishes them, for a readiness route. Waits for nothing. */
    jwksStatus: () => KeyStatus[]
    /** The issuers as security schemes, and the scopes of the routes, for the OpenAPI document of @fastify/swagger. */
    openApiSecurity: () => OpenApiSecurity
  }

  interface FastifyRequest {
    /** The deeply frozen claims of the token, or what `formatUser` made; `null` where nothing was authenticated. */
    user: JwksAuthUser
    /** The verified access token; `null` where nothing was authenticated. */
    accessToken: (AccessToken & { readonly claims: JwksAuthClaims }) | null
  }
}

export const name = 'fastify-jwks-auth'

const ofRequests = ['user', 'accessToken']
const ofInstances = ['authenticate', 'authenticateOptional', 'authorize', 'jwksStatus', 'openApiSecurity']

/** Two of them in one scope would overwrite each other's verdicts. */
export function assertFree(app: FastifyInstance): void {
  const taken =
    ofRequests.find((decorator) => app.hasRequestDecorator(decorator)) ??
    ofInstances.find((decorator) => app.hasDecorator(decorator))
  if (taken !== undefined) {
    throw new Error(
      `${name}: the decorator "${taken}" is there already, by this plugin or by another one; several issuers go into "issuers"`,
    )
  }
}
