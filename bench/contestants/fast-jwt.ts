import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { createVerifier, type Algorithm } from 'fast-jwt'
import type { Contestant } from '../contestant.ts'
import { startFastify, unauthorized } from './fastify.ts'

/** The signature and the times of a token, with the issuer's only key: the part of this plugin's work that fast-jwt does. */
export const plain: Contestant = {
  start: ({ jwksUri }) =>
    startFastify(async () => {
      const response = await fetch(jwksUri)
      const [jwk] = ((await response.json()) as { keys: [JsonWebKey & { alg: Algorithm }] }).keys
      const key = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      const verify = createVerifier({ key: key as string, algorithms: [jwk.alg], cache: false })
      return async ({ headers: { authorization = '' } }) => {
        try {
          verify(authorization.slice('Bearer '.length))
        } catch (error) {
          throw unauthorized(error)
        }
      }
    }),
}
