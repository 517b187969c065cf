import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Contestant } from '../contestant.ts'
import { startFastify } from './fastify.ts'

// The built package; this file is run as bench/dist/contestants/fastify-jwks-auth.js.
const own = new URL('../../../dist/index.js', import.meta.url)

function recipe(build: () => URL, options: object): Contestant {
  return {
    start: ({ issuer, audience }) =>
      startFastify(async (app) => {
        const { default: jwksAuth } = (await import(build().href)) as typeof import('../../dist/index.js')
        await app.register(jwksAuth, { issuer, audience, ...options })
        return app.authenticate
      }),
  }
}

/** Another build of this plugin, to compare a change with its base. */
function otherBuild(): URL {
  const { BENCH_OTHER_BUILD: directory } = process.env
  if (!directory) throw new Error('BENCH_OTHER_BUILD is not set')
  return pathToFileURL(resolve(directory, 'index.js'))
}

/** With its defaults. */
export const plain: Contestant = recipe(() => own, {})
/** Without the cache of verified tokens. */
export const uncached: Contestant = recipe(() => own, { cache: false })
/** With the keys in the directory BENCH_STORE. */
export const stored: Contestant = {
  async start(data) {
    const file = new URL('../../../dist/stores/file.js', import.meta.url)
    const { fileStore } = (await import(file.href)) as typeof import('../../dist/stores/file.js')
    const store = fileStore(process.env.BENCH_STORE ?? '')
    return recipe(() => own, { jwks: { store, storeSecret: 's'.repeat(32) } }).start(data)
  },
}
/** With DPoP. The proofs of a run are made before it, so they may be old. */
export const dpop: Contestant = recipe(() => own, {
  dpop: { baseUrl: 'https://api.example.com', proofMaxAge: 3_600_000 },
})
export const other: Contestant = recipe(otherBuild, {})
export const otherUncached: Contestant = recipe(otherBuild, { cache: false })
