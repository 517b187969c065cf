import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { pong, type RunningServer } from '../contestant.ts'

/** An Express server whose secured route has this middleware. */
export async function startExpress(secure: RequestHandler): Promise<RunningServer> {
  const app = express()
  app.get('/ping', (_request, response) => void response.send(pong))
  app.get('/secured/ping', secure, (_request, response) => void response.send(pong))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
