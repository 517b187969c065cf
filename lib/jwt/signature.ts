import { createVerifier, type Algorithm } from 'fast-jwt'
import type { JwsAlgorithm } from './algorithms.ts'
import { setStackTraceLimit } from '../stack-traces.ts'
import { isLastCharacterExact } from './token.ts'

/**
 * The claims of a token in compact serialization, if its signature is by the one key that the verifier holds: then they are
 * its signer's words.
 */
export type SignatureVerifier = (raw: string) => Readonly<Record<string, unknown>> | undefined

/**
 * A verifier for one key and one algorithm. fast-jwt skips its claim checks where a claim is absent and knows
 * no order of them, so here it is asked for the signature alone, and the claims are checked afterwards.
 *
 * @param key - A checked public key as PEM, or the bytes of a shared secret.
 */
export function signatureVerifier(key: string | Buffer, algorithm: JwsAlgorithm): SignatureVerifier {
  const verify = createVerifier({
    key,
    // The name of RFC 9864 is safe beside the old one only because the key is known to be on Ed25519.
    algorithms: algorithm === 'EdDSA' ? ['EdDSA', 'Ed25519' as Algorithm] : [algorithm],
    cache: false,
    ignoreExpiration: true,
    ignoreNotBefore: true,
  })
  return (raw) => {
    // fast-jwt sees to the other characters. Without this, one signature has many spellings.
    if (!isLastCharacterExact(raw.slice(raw.lastIndexOf('.') + 1))) return undefined
    const limit = setStackTraceLimit(0)
    try {
      return verify(raw) as Record<string, unknown>
    } catch {
      return undefined
    } finally {
      setStackTraceLimit(limit)
    }
  }
}
