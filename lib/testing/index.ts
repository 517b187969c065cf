export {
  createDPoPClient,
  type DPoPClient,
  type ProofHeaders,
  type ProofOptions,
  type ProofRequest,
} from './dpop-client.ts'
export { openRoutes, type OpenRoutesOptions, type RouteRequest, type TestedRoute } from './open-routes.ts'
export { createTestIssuer, type TestIssuer } from './test-issuer.ts'
export type { RotateOptions } from './signing-keys.ts'
export { createTestKey, type TestJwk, type TestKey, type TestKeyOptions } from './test-key.ts'
export type { TestBinding, TestClaims, TestTokenOptions } from './test-token.ts'
export type { TestIssuerOptions, TestPluginOptions } from './test-issuer-options.ts'
export type { AsymmetricAlgorithm, JwsAlgorithm, SecretAlgorithm } from '../jwt/algorithms.ts'
