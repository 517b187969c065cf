import redis from '@fastify/redis'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'
import { redisStore } from 'fastify-jwks-auth/redis'

export async function build(
  issuer: IssuerOptions,
  path: string,
  storeSecret: string,
): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(redis, { path, maxRetriesPerRequest: 1 })
  app.redis.on('error', (error) => app.log.error(error))
  app.register(jwksAuth, { ...issuer, jwks: { store: redisStore(app.redis), storeSecret } })
  // #endregion
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  return app
}
