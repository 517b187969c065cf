import { createPublicKey } from 'node:crypto'
import { createVerifier, type Algorithm } from 'fast-jwt'
import { setStackTraceLimit } from '../errors.ts'
import type { JwsAlgorithm } from './algorithms.ts'
import { hasNoUnusedBits } from './token.ts'

/** Whether the signature of a token in compact serialization was made with the key of this verifier. */
export type SignatureVerifier = (raw: string) => boolean

/**
 * Makes a verifier for one key and one algorithm. It verifies the signature only. fast-jwt skips a claim check if the claim is absent,
 * and it does not define the order of the checks. So claims.ts checks the claims.
 *
 * @param key - A checked public key as PEM, or the bytes of a shared secret.
 */
export function createSignatureVerifier(key: string | Buffer, algorithm: JwsAlgorithm): SignatureVerifier {
  const verify = createVerifier({
    key,
    // The name of RFC 9864 may only be allowed because jwk.ts has checked that the key is on Ed25519.
    algorithms: algorithm === 'EdDSA' ? ['EdDSA', 'Ed25519' as Algorithm] : [algorithm],
    cache: false,
    ignoreExpiration: true,
    ignoreNotBefore: true,
  })
  const length = rsaSignatureLength(key, algorithm)
  return (raw) => {
    const signature = raw.slice(raw.lastIndexOf('.') + 1)
    if (length !== undefined && signature.length !== length) return false
    // fast-jwt refuses other characters but ignores unused bits, which would give one signature several spellings.
    if (!hasNoUnusedBits(signature)) return false
    const limit = setStackTraceLimit(0)
    try {
      verify(raw)
      return true
    } catch {
      return false
    } finally {
      setStackTraceLimit(limit)
    }
  }
}

/**
 * The length of an RSA signature in base64url. It has as many bytes as the modulus (RFC 8017 sections 8.1.2 and 8.2.2). OpenSSL also accepts
 * a shorter one, whose leading zeros were removed. The signatures of other algorithms have a length that fast-jwt or OpenSSL checks.
 */
function rsaSignatureLength(key: string | Buffer, algorithm: JwsAlgorithm): number | undefined {
  if (!/^[RP]S/.test(algorithm)) return undefined
  const { modulusLength } = createPublicKey(key).asymmetricKeyDetails!
  return Math.ceil((Math.ceil(modulusLength! / 8) * 4) / 3)
}
