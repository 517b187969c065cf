import redis from '@fastify/redis'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'
import { redisStore } from 'fastify-jwks-auth/redis'

export async function build(issuer: IssuerOptions, path: string, secret: string): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(redis, { path, maxRetriesPerRequest: 1 })
  app.redis.on('error', (error) => app.log.error(error))
  app.register(jwksAuth, {
    ...issuer,
    dpop: {
      baseUrl: 'https://api.example.com',
      replay: redisStore(app.redis),
      // Optional: proofs can't be made in advance then.
      nonce: { secret },
    },
  })
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #endregion
  return app
}
