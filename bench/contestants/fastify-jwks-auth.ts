import Fastify from 'fastify'
import { pong, type Contestant } from '../contestant.ts'
import { startFastify } from './fastify.ts'

// As it is published; this file is run as bench/dist/contestants/fastify-jwks-auth.js.
const built = new URL('../../../dist/index.js', import.meta.url)
const { default: jwksAuth } = (await import(built.href)) as typeof import('../../dist/index.js')

function recipe(options: object): Contestant {
  return {
    start: ({ issuer, audience }) =>
      startFastify(async (app) => {
        await app.register(jwksAuth, { issuer, audience, ...options })
        return app.authenticate
      }),
  }
}

/** This plugin with its defaults. */
export const plain: Contestant = recipe({})
/** Without the cache of verified tokens. */
export const uncached: Contestant = recipe({ cache: false })
/** With its defaults, in a scope of its own: another route's requests have nothing of it, and a path of the same length. */
export const beside: Contestant = {
  async start({ issuer, audience }) {
    const app = Fastify()
    app.get('/ping', async () => pong)
    app.get('/another/ping', async () => pong)
    await app.register(async (scope) => {
      await scope.register(jwksAuth, { issuer, audience })
      scope.get('/secured/ping', { onRequest: scope.authenticate }, async () => pong)
    })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return { url, close: () => app.close() }
  },
}
