import { createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import type { Algorithm } from '../issuer.ts'
import { hashOf } from './tokens.ts'

/** A token taken apart, as bytes. */
export interface Parts {
  readonly content: Buffer
  readonly signature: Buffer
}

export function partsOf(token: string): Parts {
  const dot = token.lastIndexOf('.')
  return {
    content: Buffer.from(token.slice(0, dot)),
    signature: Buffer.from(token.slice(dot + 1), 'base64url'),
  }
}

/** `crypto.verify` with a key made beforehand: the least that a signature costs. */
export function bareVerifier(algorithm: Algorithm, jwk: object): (parts: Parts) => boolean {
  const key = {
    key: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363' as const,
  }
  const hash = hashOf(algorithm)
  return ({ content, signature }) => verify(hash, content, key, signature)
}
