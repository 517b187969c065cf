import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'

export function build(issuer: IssuerOptions): FastifyInstance {
  const app = Fastify()
  // #region app
  app.register(jwksAuth, {
    ...issuer,
    // Some gateways write the scheme, too.
    getToken: ({ headers }) => headers['x-forwarded-access-token']?.toString().replace(/^Bearer /i, ''),
  })
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #endregion
  return app
}
