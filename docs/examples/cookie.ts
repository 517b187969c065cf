import cookie from '@fastify/cookie'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(cookie)
  app.register(jwksAuth, {
    ...issuer,
    getToken: (request) => request.cookies.access_token,
  })
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #endregion
  return app
}
