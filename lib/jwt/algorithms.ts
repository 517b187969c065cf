/** An algorithm of published keys (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export type AsymmetricAlgorithm =
  'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'ES512' | 'EdDSA'
/** An algorithm of shared secrets (RFC 7518 section 3.2). */
export type SecretAlgorithm = 'HS256' | 'HS384' | 'HS512'

/** A JWS algorithm that the plugin verifies, by its canonical name. */
export type JwsAlgorithm = AsymmetricAlgorithm | SecretAlgorithm

/** The type and the curve of the public keys of an algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export const asymmetricAlgorithms: Readonly<Record<AsymmetricAlgorithm, { kty: string; crv?: string }>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
}

/** The minimum length of a shared secret in bytes (RFC 7518 section 3.2). */
export const secretAlgorithms: Readonly<Record<SecretAlgorithm, number>> = { HS256: 32, HS384: 48, HS512: 64 }

export function isSecretAlgorithm(algorithm: JwsAlgorithm): algorithm is SecretAlgorithm {
  return Object.hasOwn(secretAlgorithms, algorithm)
}

/**
 * The canonical name of an algorithm. RFC 9864 renames `EdDSA` over Ed25519 to `Ed25519`. Both names mean the same algorithm
 * with the same key.
 */
export function canonicalAlgorithm(name: unknown): JwsAlgorithm | undefined {
  if (name === 'Ed25519') return 'EdDSA'
  return typeof name === 'string' &&
    (Object.hasOwn(asymmetricAlgorithms, name) || Object.hasOwn(secretAlgorithms, name))
    ? (name as JwsAlgorithm)
    : undefined
}
