import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, authorize, type IssuerOptions } from 'fastify-jwks-auth'
import mercurius from 'mercurius'

export function build(issuer: IssuerOptions): FastifyInstance {
  const app = Fastify()
  // #region app
  app.register(jwksAuth, issuer)
  app.register(async (scope) => {
    scope.addHook('onRequest', authenticate) // for /graphql, and for nothing outside of this scope
    const mayWrite = authorize({ scope: 'write:orders' })
    await scope.register(mercurius, {
      schema: 'type Query { me: String } type Mutation { addOrder: Boolean }',
      resolvers: {
        Query: { me: (_root, _args, { reply }) => reply.request.user.sub },
        Mutation: {
          addOrder: async (_root, _args, { reply }) => {
            await mayWrite(reply.request, reply)
            return true
          },
        },
      },
    })
  })
  // #endregion
  return app
}
