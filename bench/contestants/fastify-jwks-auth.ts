import type { Contestant } from '../contestant.ts'
import { startFastify } from './fastify.ts'

// As it is published; this file is run as bench/dist/contestants/fastify-jwks-auth.js.
const built = new URL('../../../dist/index.js', import.meta.url)
const { default: jwksAuth } = (await import(built.href)) as typeof import('../../dist/index.js')

/** This plugin with its defaults. */
export const plain: Contestant = {
  start: ({ issuer, audience }) =>
    startFastify(async (app) => {
      await app.register(jwksAuth, { issuer, audience })
      return app.authenticate
    }),
}
