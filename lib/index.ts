export { default, default as 'module.exports', type JwksAuth, type JwksAuthOptions } from './plugin.ts'
export type { OpenApiSecurity, SecurityScheme } from './authorization/openapi.ts'
export { diagnostics, type DiagnosticsEvents, type EventChannel, type FetchAttempt } from './channels.ts'
export type { Authorize, AuthenticateHook, AuthorizeOptions, RouteAuthorization } from './decorators.ts'
export { authenticate, authenticateOptional, authorize } from './hooks.ts'
export { JwksAuthError, type ChallengeError, type JwksAuthErrorCode } from './errors.ts'
export type { ProtectedResourceMetadata } from './http/resource-metadata.ts'
export type { JwksStore } from './jwks/jwks-store.ts'
export type { KeyStatus } from './jwks/jwks-state.ts'
export type { AsymmetricAlgorithm, JwsAlgorithm, SecretAlgorithm } from './jwt/algorithms.ts'
export type { ClaimValue } from './jwt/claim-values.ts'
export type { AccessToken, AccessTokenClaims, JoseHeader } from './jwt/token.ts'
export type {
  AllowedClaim,
  CacheOptions,
  IssuerOptions,
  JwksOptions,
  ResolveIssuer,
} from './options/types.ts'
export type { BindingMode, DPoPOptions, MtlsOptions, ReplayStore } from './options/sender-constraint-types.ts'
export type * from './types.ts'
