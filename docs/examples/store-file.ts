import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'
import { fileStore } from 'fastify-jwks-auth/file'

export async function build(
  issuer: IssuerOptions,
  environment: Record<string, string | undefined>,
): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  const { CACHE_DIRECTORY = '', STORE_SECRET = '' } = environment
  app.register(jwksAuth, {
    ...issuer,
    jwks: { store: fileStore(CACHE_DIRECTORY), storeSecret: STORE_SECRET },
  })
  // #endregion
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  return app
}
