import Fastify, { type FastifyInstance, type onRequestAsyncHookHandler } from 'fastify'
import { pong, type RunningServer } from '../contestant.ts'

/** A Fastify server whose secured route has the hook that `secure` gives. */
export async function startFastify(
  secure: (app: FastifyInstance) => Promise<onRequestAsyncHookHandler | undefined>,
): Promise<RunningServer> {
  const app = Fastify()
  const onRequest = await secure(app)
  app.get('/ping', async () => pong)
  app.get('/secured/ping', onRequest ? { onRequest } : {}, async () => pong)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { url, close: () => app.close() }
}

/** What a hook throws where the library leaves the answer to its user. */
export function unauthorized(cause: unknown): Error {
  return Object.assign(new Error('Unauthorized', { cause }), { statusCode: 401 })
}
