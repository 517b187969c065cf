import jwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions, type JwksAuthUser } from 'fastify-jwks-auth'

// #region types
declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: JwksAuthUser // the type of request.user; both declarations must agree
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    session: { cart: string }
  }
}
// #endregion

export async function build(issuer: IssuerOptions, secret: string): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  app.register(jwksAuth, issuer)
  await app.register(jwt, { secret, decoratorName: 'session', verify: { algorithms: ['HS256'] } })
  app.post('/carts', async (_request, reply) => reply.jwtSign({ cart: crypto.randomUUID() }))
  app.get('/cart', { onRequest: async (request) => request.jwtVerify() }, async (request) => {
    return request.session.cart
  })
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #endregion
  return app
}
