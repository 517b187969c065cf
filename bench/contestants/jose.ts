import { createRemoteJWKSet, jwtVerify } from 'jose'
import type { Contestant } from '../contestant.ts'
import { startFastify, unauthorized } from './fastify.ts'

export const plain: Contestant = {
  start: ({ issuer, jwksUri, audience }) =>
    startFastify(async () => {
      const keys = createRemoteJWKSet(new URL(jwksUri))
      return async ({ headers: { authorization = '' } }) => {
        await jwtVerify(authorization.slice('Bearer '.length), keys, { issuer, audience }).catch((error) => {
          throw unauthorized(error)
        })
      }
    }),
}
