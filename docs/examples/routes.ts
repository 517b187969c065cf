import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authorize, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  app.register(jwksAuth, issuer)
  // #region scope
  app.get('/ping/all', { onRequest: authorize({ scope: 'read:ping' }) }, async () => 'all of them')
  // #endregion
  return app
}
