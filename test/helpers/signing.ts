import { constants, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { jwkOf, type PublishedKey } from './jwk.ts'

/** A key pair of any algorithm, also of one that the plugin refuses. */
export interface SigningKey {
  readonly privateKey: KeyObject
  readonly jwk: PublishedKey
  /** The algorithms that this key can sign with. */
  readonly algorithms: readonly string[]
}

const rsaAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const

export function createSigningKey(algorithm: string, modulusLength = 2_048): SigningKey {
  const { publicKey, privateKey } =
    algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : algorithm.startsWith('ES')
        ? generateKeyPairSync('ec', { namedCurve: curves[algorithm as keyof typeof curves] })
        : generateKeyPairSync('rsa', { modulusLength })
  const isRsa = rsaAlgorithms.includes(algorithm)
  return {
    privateKey,
    jwk: jwkOf(publicKey),
    algorithms: isRsa ? rsaAlgorithms : algorithm === 'EdDSA' ? ['EdDSA', 'Ed25519'] : [algorithm],
  }
}

/** A JWS signature (RFC 7518 section 3.1, RFC 8037 section 3.1). */
export function signWith({ privateKey }: SigningKey, algorithm: string, content: string): Buffer {
  const bytes = Buffer.from(content)
  const hash = `sha${algorithm.slice(2)}`
  if (algorithm.startsWith('Ed')) return sign(null, bytes, privateKey)
  if (algorithm.startsWith('ES')) {
    return sign(hash, bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  }
  const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST } = constants
  return sign(hash, bytes, {
    key: privateKey,
    ...(algorithm.startsWith('PS')
      ? { padding: RSA_PKCS1_PSS_PADDING, saltLength: RSA_PSS_SALTLEN_DIGEST }
      : { padding: RSA_PKCS1_PADDING }),
  })
}

export function signWithSecret(secret: string | Uint8Array, algorithm: string, content: string): Buffer {
  return createHmac(`sha${algorithm.slice(2)}`, secret)
    .update(content)
    .digest()
}
