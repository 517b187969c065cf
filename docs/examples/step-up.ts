import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, authorize, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  app.register(jwksAuth, issuer)
  const twoFactors = authorize({ scope: 'transfers', acr: 'urn:acme:mfa', maxAuthAge: 300_000 })
  app.get('/account', { onRequest: authenticate }, async (request) => request.user.sub)
  app.post('/transfers', { onRequest: [twoFactors] }, async (request) => request.user.sub)
  // #endregion
  return app
}
