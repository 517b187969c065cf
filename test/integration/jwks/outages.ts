import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { call, createApp } from '../../helpers/app.ts'
import { hostile, redirect } from '../../helpers/hostile.ts'
import { unsignedToken } from '../../helpers/issuer.ts'

// A program that goes through every kind of outage and then closes its applications. The issuers stay open, but their servers and sockets
// are unreferenced. So the process ends only if the plugin leaves nothing that keeps it alive.
const token = unsignedToken({ alg: 'ES256', kid: 'key' }, { iss: 'issuer', aud: 'api' }, 'AA')

const handlers = { ...hostile, 'redirects elsewhere': redirect(302, 'http://127.0.0.1:1/') }
await Promise.all(
  Object.values(handlers).map(async (handler) => {
    const server = createServer((request, response) => {
      request.socket.unref()
      handler(request, response)
    })
    server.unref().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const jwksUri = `http://127.0.0.1:${port}/jwks`
    const app = await createApp({ issuer: 'issuer', audience: 'api', jwksUri, jwks: { timeout: 1_000 } })
    for (let round = 0; round < 2; round += 1) console.log((await call(app, token)).statusCode)
    // The application is closed during a fetch.
    const last = call(app, token)
    await app.close()
    console.log((await last).statusCode)
  }),
)
console.log('closed')
