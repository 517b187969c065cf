import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type Request, type RequestHandler, type Response } from 'express'
import { pong, type Exchange, type LocalServer } from '../contestant.ts'

/** An Express server whose secured route has this middleware. */
export async function startExpress(secure: RequestHandler): Promise<LocalServer> {
  const app = express()
  const held: Exchange[] = []
  app.get('/ping', (_request, response) => void response.send(pong))
  app.get('/secured/ping', secure, (_request, response) => void response.send(pong))
  app.get('/held', (request, response) => {
    held.push({ request, reply: response, headers: request.headers })
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    held,
    // A middleware may return a promise that resolves before it calls `next`.
    hook: (request, reply) =>
      new Promise((resolve, reject) => {
        void secure(request as Request, reply as Response, (error?: unknown) => {
          if (error === undefined) resolve(undefined)
          else reject(error as Error)
        })
      }),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
