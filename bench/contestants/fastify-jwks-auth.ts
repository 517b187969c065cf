import type { Contestant } from '../contestant.ts'
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
