import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { type IssuerOptions } from 'fastify-jwks-auth'
import { EnvHttpProxyAgent } from 'undici'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  // It reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY from the environment.
  const dispatcher = new EnvHttpProxyAgent()
  await app.register(jwksAuth, { ...issuer, jwks: { dispatcher } })
  app.addHook('onClose', () => dispatcher.close())
  // #endregion
  app.get('/me', { onRequest: [app.authenticate] }, async (request) => request.user.sub)
  return app
}
