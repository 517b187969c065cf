import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(cors, {
    origin: 'https://shop.example.com',
    methods: ['GET', 'PUT'],
    allowedHeaders: ['Authorization', 'Content-Type', 'DPoP'],
    exposedHeaders: ['WWW-Authenticate', 'Retry-After', 'DPoP-Nonce'],
  })
  app.register(jwksAuth, issuer)
  app.addHook('onRequest', authenticate)
  app.put('/me', async (request) => request.user.sub)
  // #endregion
  return app
}
