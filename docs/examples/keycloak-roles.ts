import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authorize, type IssuerOptions } from 'fastify-jwks-auth'

export function build(issuer: IssuerOptions): FastifyInstance {
  const app = Fastify()
  // #region app
  app.register(jwksAuth, issuer)
  /** A role of the realm. */
  const isAdmin = authorize({ claims: { realm_access: { roles: 'admin' } } })
  /** One of two roles of the client `orders`. */
  const mayRead = authorize({ claims: { resource_access: { orders: { roles: ['reader', 'writer'] } } } })

  app.get('/orders', { onRequest: mayRead }, async () => [])
  app.get('/users', { onRequest: isAdmin }, async () => [])
  app.delete('/orders', { onRequest: [isAdmin, mayRead] }, async () => 'both roles')
  // #endregion
  return app
}
