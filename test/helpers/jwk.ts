import {
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'

/** A member of a JWK Set, as it comes out of JSON. */
export type PublishedKey = Record<string, unknown>

/** A new public key of a curve; nobody keeps the private one. */
export function curveKey(curve: string, members: PublishedKey = {}): PublishedKey {
  // Each name of a curve is an overload of its own.
  const { publicKey } =
    curve.includes('25519') || curve.includes('448')
      ? generateKeyPairSync(curve.toLowerCase() as 'ed25519')
      : generateKeyPairSync('ec', { namedCurve: curve })
  return { ...jwkOf(publicKey), ...members }
}

/**
 * The JWK of a generated key, by way of its PEM: a generated key itself is made a JWK under a lock that the garbage
 * collector waits for when it just then clears the generation away, and the process stands still.
 */
export function jwkOf(generated: KeyObject): PublishedKey {
  const key = createPublicKey(generated.export({ type: 'spki', format: 'pem' }))
  return { ...key.export({ format: 'jwk' }) }
}

/** An RSA public key of any length, at no cost: nothing about a modulus tells that it has no known factors. */
export function rsaKey(members: PublishedKey = {}, bits = 2048): PublishedKey {
  const n = randomBytes(Math.ceil(bits / 8))
  const topBit = 1 << ((bits - 1) % 8)
  n[0] = (n[0]! & (topBit - 1)) | topBit
  n[n.length - 1]! |= 1
  return { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB', ...members }
}

/** The key that a JWK describes, as PEM. */
export function pemOf(jwk: PublishedKey): string {
  return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  }) as string
}
