import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import jwksAuth, { type JwksAuthOptions } from '../../lib/index.ts'

/** An application with the plugin and one secured route that tells who the user is. */
export async function createApp(options: JwksAuthOptions): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(jwksAuth, options)
  app.get('/secured', { onRequest: app.authenticate }, async (request) => ({ user: request.user }))
  app.get('/optional', { onRequest: app.authenticateOptional }, async (request) => ({ user: request.user }))
  return app
}

/** Calls the secured route with a token. */
export async function call(
  app: FastifyInstance,
  token: string,
  url = '/secured',
): Promise<LightMyRequestResponse> {
  return app.inject({ url, headers: { authorization: `Bearer ${token}` } })
}

/** What an answer of the default error handler says, and with which challenge. */
export function verdict(response: LightMyRequestResponse): {
  status: number
  code: unknown
  message: unknown
  challenge: unknown
} {
  const { code, message } = response.json<{ code?: string; message?: string }>()
  return { status: response.statusCode, code, message, challenge: response.headers['www-authenticate'] }
}
