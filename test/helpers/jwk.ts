import {
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'

/** A key of a JWK Set after JSON.parse. */
export type PublishedKey = Record<string, unknown>

/** Generates a key on a curve and returns its public JWK. */
export function curveKey(curve: string, members: PublishedKey = {}): PublishedKey {
  // The types have an overload for each curve.
  const { publicKey } =
    curve.includes('25519') || curve.includes('448')
      ? generateKeyPairSync(curve.toLowerCase() as 'ed25519')
      : generateKeyPairSync('ec', { namedCurve: curve })
  return { ...jwkOf(publicKey), ...members }
}

/**
 * Returns the JWK of a generated key, exported from a copy that is made from PEM. In Node 20, exporting a generated key holds a lock.
 * If the garbage collector removes the generation job at that moment, it waits for this lock, and the process hangs.
 */
export function jwkOf(generated: KeyObject): PublishedKey {
  const key = createPublicKey(generated.export({ type: 'spki', format: 'pem' }))
  return { ...key.export({ format: 'jwk' }) }
}

/** An RSA public key of any length with a random modulus. It is fast to generate, and no private key exists for it. */
export function rsaKey(members: PublishedKey = {}, bits = 2048): PublishedKey {
  const n = randomBytes(Math.ceil(bits / 8))
  const topBit = 1 << ((bits - 1) % 8)
  n[0] = (n[0]! & (topBit - 1)) | topBit
  n[n.length - 1]! |= 1
  return { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB', ...members }
}

/** Converts a JWK to PEM. */
export function pemOf(jwk: PublishedKey): string {
  return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  }) as string
}
