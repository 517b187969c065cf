import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(jwksAuth, issuer)
  // #region scope
  app.get('/ping/all', { onRequest: [app.authorize({ scope: 'read:ping' })] }, async () => 'all of them')
  // #endregion
  return app
}
