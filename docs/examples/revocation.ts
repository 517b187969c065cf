import redis from '@fastify/redis'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type AccessTokenClaims, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions, path: string): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(redis, { path, maxRetriesPerRequest: 1 })
  app.redis.on('error', (error) => app.log.error(error))
  const entry = ({ iss, jti }: AccessTokenClaims): string => `revoked ${iss} ${jti}`
  app.register(jwksAuth, {
    ...issuer,
    requiredClaims: ['jti'],
    isRevoked: async (claims) => (await app.redis.exists(entry(claims))) === 1,
  })
  app.post('/logout', { onRequest: authenticate }, async ({ user }, reply) => {
    // Keep the entry longer than the token is accepted: exp may be a fraction, and has a tolerance.
    await app.redis.set(entry(user), '', 'EXAT', Math.ceil(user.exp) + 60)
    return reply.code(204).send()
  })
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #endregion
  return app
}
