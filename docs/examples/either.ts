import fastifyAuth from '@fastify/auth'
import basicAuth from '@fastify/basic-auth'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(
  issuer: IssuerOptions,
  isPartner: (name: string, password: string) => Promise<boolean>,
): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(fastifyAuth)
  await app.register(basicAuth, {
    authenticate: { realm: 'partners' },
    validate: async (name, password) =>
      (await isPartner(name, password)) ? undefined : new Error('unknown partner'),
  })
  app.register(jwksAuth, issuer)
  const either = app.auth([app.basicAuth, authenticate])
  app.addHook('onRequest', either)
  // If the token is valid, basicAuth has refused before: remove the challenge that it set.
  app.addHook('onRequest', async (_request, reply) => void reply.removeHeader('www-authenticate'))
  app.get('/report', async (request) => request.accessToken?.claims.sub ?? 'a partner')
  // #endregion
  return app
}
