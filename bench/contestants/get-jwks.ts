import fastifyJwt from '@fastify/jwt'
import buildGetJwks from 'get-jwks'
import type { Contestant } from '../contestant.ts'
import { startFastify } from './fastify.ts'

interface DecodedToken {
  header: { kid: string; alg: string }
  payload: { iss: string }
}

/**
 * The recipe of get-jwks' README, with three changes. `secret` returns a promise instead of calling back. The list of issuers is given to get-jwks,
 * since @fastify/jwt ignores it. Issuer and audience are checked, as by all other contestants.
 */
function recipe(cache: boolean): Contestant {
  return {
    start: ({ issuer, audience }) =>
      startFastify(async (app) => {
        const getJwks = buildGetJwks({ issuersWhitelist: [issuer] })
        await app.register(fastifyJwt, {
          decode: { complete: true },
          verify: { allowedIss: issuer, allowedAud: audience, ...(cache && { cache }) },
          secret(_request: unknown, token: unknown) {
            const {
              header: { kid, alg },
              payload: { iss },
            } = token as DecodedToken
            return getJwks.getPublicKey({ kid, domain: iss, alg })
          },
        })
        return async (request) => void (await request.jwtVerify())
      }),
  }
}

export const plain: Contestant = recipe(false)
/** With fast-jwt's cache of verified tokens. */
export const cached: Contestant = recipe(true)
