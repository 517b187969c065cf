import fastifyJwtJwks from 'fastify-jwt-jwks'
import type { Contestant } from '../contestant.ts'
import { startFastify } from './fastify.ts'

/** The function that its README requires; its types have a default export only. */
const plugin = fastifyJwtJwks as unknown as typeof fastifyJwtJwks.default

function recipe(options: object): Contestant {
  return {
    start: ({ issuer, jwksUri, audience }) =>
      startFastify(async (app) => {
        await app.register(plugin, { jwksUrl: jwksUri, issuer, audience, ...options })
        return (request, reply) => app.authenticate(request, reply)
      }),
  }
}

export const plain: Contestant = recipe({})
/** With fast-jwt's cache of verified tokens, as its README shows. */
export const cached: Contestant = recipe({ cache: true })
