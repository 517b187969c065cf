export {
  default,
  default as 'module.exports',
  type AuthenticateHook,
  type AuthorizeOptions,
  type JwksAuth,
  type JwksAuthOptions,
} from './plugin.ts'
export { diagnostics, type DiagnosticsEvents, type EventChannel } from './diagnostics.ts'
export { JwksAuthError, type ChallengeError, type JwksAuthErrorCode } from './errors.ts'
export type { AsymmetricAlgorithm, JwsAlgorithm, SecretAlgorithm } from './algorithms.ts'
export type { ClaimValue } from './claim-values.ts'
export type { KeyStatus } from './keys/known-keys.ts'
export type { CacheOptions, IssuerFinder, IssuerOptions, JwksOptions } from './options.ts'
export type { AccessToken } from './resource-server.ts'
export type { AccessTokenClaims, JoseHeader } from './token.ts'
export type * from './types.ts'
