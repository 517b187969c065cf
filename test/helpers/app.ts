import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import jwksAuth, { type JwksAuthOptions } from '../../lib/index.ts'

/** An application with the plugin and two routes that return the user: one requires a token. */
export async function createApp(options: JwksAuthOptions): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(jwksAuth, options)
  app.get('/secured', { onRequest: app.authenticate }, async (request) => ({ user: request.user }))
  app.get('/optional', { onRequest: app.authenticateOptional }, async (request) => ({ user: request.user }))
  return app
}

/** Calls a route, by default the one that requires a token. */
export async function call(
  app: FastifyInstance,
  token: string,
  url = '/secured',
): Promise<LightMyRequestResponse> {
  return app.inject({ url, headers: { authorization: `Bearer ${token}` } })
}

/** The parts of an answer of Fastify's error handler that the plugin decides, with the challenge. */
export function readAnswer(response: LightMyRequestResponse): {
  status: number
  code: unknown
  message: unknown
  challenge: unknown
} {
  const { code, message } = response.json<{ code?: string; message?: string }>()
  return { status: response.statusCode, code, message, challenge: response.headers['www-authenticate'] }
}
