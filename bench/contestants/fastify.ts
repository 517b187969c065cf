import Fastify, { type FastifyInstance, type onRequestAsyncHookHandler } from 'fastify'
import { pong, type Exchange, type Hook, type LocalServer } from '../contestant.ts'

/** A Fastify server whose secured route has the hook that `secure` returns. */
export async function startFastify(
  secure: (app: FastifyInstance) => Promise<onRequestAsyncHookHandler | undefined>,
): Promise<LocalServer> {
  const app = Fastify()
  const held: Exchange[] = []
  const onRequest = await secure(app)
  app.get('/ping', async () => pong)
  app.get('/secured/ping', onRequest ? { onRequest } : {}, async () => pong)
  app.get('/held', (request, reply) => {
    held.push({ request, reply, headers: request.raw.headers })
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { url, held, hook: onRequest as Hook, close: () => app.close() }
}

/** For libraries that leave the response to the application. */
export function unauthorized(cause: unknown): Error {
  return Object.assign(new Error('Unauthorized', { cause }), { statusCode: 401 })
}
