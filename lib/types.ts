import type { AccessTokenClaims } from './jwt/token.ts'

/**
 * The application's own types, to be augmented once:
 *
 * ```ts
 * declare module 'fastify-jwks-auth' {
 *   interface JwksAuthTypes {
 *     claims: { permissions: string[] } // what your tokens hold beside the registered claims
 *     user: { id: string } // what formatUser makes, where you have one
 *   }
 * }
 * ```
 */
export interface JwksAuthTypes {}

/** The claims of a verified access token, with those of the application. */
export type JwksAuthClaims = JwksAuthTypes extends { claims: infer Claims }
  ? AccessTokenClaims & Claims
  : AccessTokenClaims

/** What `request.user` is: the claims, or what `formatUser` makes of them. */
export type JwksAuthUser = JwksAuthTypes extends { user: infer User } ? User : JwksAuthClaims
