import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import jwksAuth, { authenticate, JwksAuthError, type IssuerOptions } from 'fastify-jwks-auth'

export function build(issuer: IssuerOptions, logger: FastifyServerOptions['logger'] = true): FastifyInstance {
  const app = Fastify({ logger })
  // #region app
  app.register(jwksAuth, issuer)
  app.addHook('onError', async (request, _reply, error) => {
    if (error instanceof JwksAuthError) request.log.warn({ code: error.code }, 'request refused')
  })
  // #endregion
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  return app
}
