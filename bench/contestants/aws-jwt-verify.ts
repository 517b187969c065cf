import { JwtVerifier } from 'aws-jwt-verify'
import type { Contestant } from '../contestant.ts'
import { startFastify, unauthorized } from './fastify.ts'

export const plain: Contestant = {
  start: ({ issuer, jwksUri, audience }) =>
    startFastify(async () => {
      const verifier = JwtVerifier.create({ issuer, audience, jwksUri })
      return async ({ headers: { authorization = '' } }) => {
        await verifier.verify(authorization.slice('Bearer '.length)).catch((error) => {
          throw unauthorized(error)
        })
      }
    }),
}
