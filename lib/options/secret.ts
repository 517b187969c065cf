import { createPublicKey } from 'node:crypto'
import { secretAlgorithms, type SecretAlgorithm } from '../jwt/algorithms.ts'
import { invalidOption } from './assert.ts'

/** Encodings in which keys are often copied. Node's base64 decoder accepts base64url as well. */
const encodings = ['base64', 'hex'] as const

/**
 * Reads the option `secret`. The text or bytes of a public key are refused: everybody who knows the key could sign with it.
 *
 * @param allowed - The allowed HS algorithms. The secret must be long enough for all of them.
 */
export function readSecret(name: string, value: unknown, allowed: readonly SecretAlgorithm[]): Buffer {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    invalidOption(name, 'must be a string or a Uint8Array')
  }
  const bytes = Buffer.from(value)
  const decodings = [bytes, ...encodings.map((encoding) => Buffer.from(bytes.toString(), encoding))]
  if (decodings.some((decoded) => isKeyText(decoded.toString()) || isPublicKey(decoded))) {
    invalidOption(
      name,
      'must be a shared secret and not a PEM, DER or JWK key; set "jwksUri" to verify with published keys',
    )
  }
  const algorithms: readonly SecretAlgorithm[] = allowed.length > 0 ? allowed : ['HS256']
  const min = Math.max(...algorithms.map((algorithm) => secretAlgorithms[algorithm]))
  if (bytes.length < min) {
    invalidOption(
      name,
      `must have at least ${min} bytes for ${algorithms.join(', ')} (RFC 7518 section 3.2)`,
      bytes.length === 0,
    )
  }
  return bytes
}

function isKeyText(secret: string): boolean {
  if (secret.includes('-----BEGIN')) return true
  try {
    // trim() also removes a byte order mark, which JSON.parse does not accept.
    return typeof JSON.parse(secret.trim()) === 'object'
  } catch {
    return false
  }
}

function isPublicKey(key: Buffer): boolean {
  return (['spki', 'pkcs1'] as const).some((type) => {
    try {
      return createPublicKey({ key, format: 'der', type }) !== undefined
    } catch {
      return false
    }
  })
}
