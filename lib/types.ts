import type { AccessTokenClaims } from './jwt/token.ts'

/**
 * The types of the application. Augment the interface once:
 *
 * ```ts
 * declare module 'fastify-jwks-auth' {
 *   interface JwksAuthTypes {
 *     claims: { permissions: string[] } // claims of your tokens in addition to the registered ones
 *     user: { id: string } // the result of formatUser, if you have one
 *     decoratorName: 'auth' // the option decoratorName, if you have set it
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

/**
 * The request decorator that holds the user: `request.user`, or the name in `decoratorName`. It holds the deeply frozen claims of the
 * token, or the result of `formatUser`. The type is non-null. Behind `authenticateOptional` it can be `null`; check it.
 */
export type UserDecorator = {
  [
    Name in JwksAuthTypes extends {
      /** The option `decoratorName`. */
      decoratorName: infer Own extends string
    }
      ? Own
      : 'user'
  ]: JwksAuthUser
}
