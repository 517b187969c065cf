import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'
import { atExpiry } from './expiry.ts'

export const news = new EventEmitter()

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  app.register(jwksAuth, issuer)
  // #region route
  app.get('/events', { onRequest: authenticate }, async (request, reply) => {
    const events = new PassThrough()
    const send = (text: string): boolean => events.write(`data: ${text}\n\n`)
    const callOff = atExpiry(request, () => events.end())
    news.on('item', send)
    events.on('close', () => {
      news.off('item', send)
      callOff()
    })
    send(`hello ${request.user.sub}`)
    return reply.type('text/event-stream').send(events)
  })
  // #endregion
  return app
}
