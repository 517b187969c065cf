import { createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import type { Contestant } from '../contestant.ts'
import { startFastify, unauthorized } from './fastify.ts'

/** No more than a signature: the one key of the issuer, no claims, nothing kept. What others add is measured by it. */
export const cryptoVerify: Contestant = {
  start: ({ jwksUri }) =>
    startFastify(async () => {
      const response = await fetch(jwksUri)
      const [jwk] = ((await response.json()) as { keys: [JsonWebKey] }).keys
      const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const }
      const hash = jwk.alg === 'EdDSA' ? undefined : 'sha256'
      return async ({ headers: { authorization = '' } }) => {
        const dot = authorization.lastIndexOf('.')
        const content = Buffer.from(authorization.slice('Bearer '.length, dot))
        const signature = Buffer.from(authorization.slice(dot + 1), 'base64url')
        if (!verify(hash, content, key, signature)) throw unauthorized('signature')
      }
    }),
}
