import cors from '@fastify/cors'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import jwksAuth, { authenticate, JwksAuthError } from '../lib/index.ts'
import type { JwksAuthOptions } from '../lib/index.ts'

type HttpError = Error & { statusCode?: number; code?: string }
type Logger = NonNullable<FastifyServerOptions['logger']>

/**
 * Creates the API of the demo, which is then ready to listen.
 *
 * @param origins - The origins that may call it from a browser.
 */
export async function build(
  auth: JwksAuthOptions,
  logger: Logger = false,
  origins: string | string[] = '*',
): Promise<FastifyInstance> {
  const app = Fastify({
    logger,
    frameworkErrors: handleError,
    // Open keep-alive connections must not keep the process running.
    forceCloseConnections: true,
  })
  app.setErrorHandler(handleError)
  app.setNotFoundHandler((_request, reply) => {
    reply.code(404).send({ code: 'not_found', description: 'There is no such route' })
  })

  // Registered before the plugin, so that a preflight is answered before a token is required.
  await app.register(cors, {
    origin: origins,
    allowedHeaders: ['Content-Type', 'Authorization', 'DPoP'],
    exposedHeaders: ['WWW-Authenticate', 'DPoP-Nonce'],
  })
  await app.register(jwksAuth, auth)

  app.get('/ping', async () => "All good. You don't need to be authenticated to call this")

  app.get(
    '/secured/ping',
    { onRequest: authenticate },
    async () => "All good. You only get this message if you're authenticated",
  )

  app.get(
    '/reports',
    { onRequest: app.authorize({ scope: 'read:reports' }) },
    async () => 'All good. You only get this message if your token has the scope read:reports',
  )

  return app
}

function handleError(error: HttpError, request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode = 500, code = 'error', message } = error
  if (statusCode < 500 || error instanceof JwksAuthError) {
    reply.code(statusCode).send({ code, description: message })
    return
  }
  // The details of an internal error are logged and not sent to the client.
  request.log.error(error)
  reply.code(500).send({ code: 'internal_error', description: 'Something went wrong' })
}
