import type { AccessTokenClaims } from './jwt/token.ts'

/**
 * The types of the application. Augment the interface once:
 *
 * ```ts
 * declare module 'fastify-jwks-auth' {
 *   interface JwksAuthTypes {
 *     claims: { permissions: string[] } // claims of your tokens in addition to the registered ones
 *     user: { id: string } // the result of formatUser, if you have one
 *   }
 * }
 * ```
 */
export interface JwksAuthTypes {}

/** The claims of a verified access token, including those of the application. */
export type JwksAuthClaims = JwksAuthTypes extends { claims: infer Claims }
  ? AccessTokenClaims & Claims
  : AccessTokenClaims

/** The type of `request.user`: the claims, or the result of `formatUser`. */
export type JwksAuthUser = JwksAuthTypes extends { user: infer User } ? User : JwksAuthClaims
