import cors from '@fastify/cors'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import jwksAuth, { JwksAuthError } from '../lib/index.ts'
import type { JwksAuthOptions } from '../lib/index.ts'

type Fault = Error & { statusCode?: number; code?: string }
type Logger = NonNullable<FastifyServerOptions['logger']>

/** The API of the demo, ready to listen. Pages of `origins` may call it. */
export async function build(
  auth: JwksAuthOptions,
  logger: Logger = false,
  origins: string | string[] = '*',
): Promise<FastifyInstance> {
  const app = Fastify({
    logger,
    frameworkErrors: answer,
    // A client that keeps its connection must not keep the process.
    forceCloseConnections: true,
  })
  app.setErrorHandler(answer)
  app.setNotFoundHandler((_request, reply) => {
    reply.code(404).send({ code: 'not_found', description: 'There is no such route' })
  })

  // Before the plugin, so that a preflight is answered before anything asks for a token.
  await app.register(cors, {
    origin: origins,
    allowedHeaders: ['Content-Type', 'Authorization'],
    exposedHeaders: ['WWW-Authenticate'],
  })
  await app.register(jwksAuth, auth)

  app.get('/ping', async () => "All good. You don't need to be authenticated to call this")

  app.get(
    '/secured/ping',
    { onRequest: app.authenticate },
    async () => "All good. You only get this message if you're authenticated",
  )

  return app
}

function answer(error: Fault, request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode = 500, code = 'error', message } = error
  if (statusCode < 500 || error instanceof JwksAuthError) {
    reply.code(statusCode).send({ code, description: message })
    return
  }
  // What went wrong in here is for the log, not for a client.
  request.log.error(error)
  reply.code(500).send({ code: 'internal_error', description: 'Something went wrong' })
}
