import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions, max: number): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  app.register(jwksAuth, issuer)
  await app.register(rateLimit, {
    hook: 'preParsing',
    max,
    timeWindow: '1 minute',
    keyGenerator: ({ accessToken, ip }) => accessToken?.claims.sub ?? ip,
  })
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #endregion
  app.get('/public', async () => 'public')
  return app
}
