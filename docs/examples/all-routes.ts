import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  app.register(jwksAuth, { ...issuer, global: true })
  app.get('/orders', async (request) => request.user.sub)
  app.delete('/orders/:id', { config: { jwksAuth: { scope: 'write:orders' } } }, async () => 'deleted')
  app.get('/offers', { config: { jwksAuth: 'optional' } }, async () => [])
  app.get('/ping', { config: { jwksAuth: false } }, async () => 'public')
  // #endregion
  return app
}
