import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authorize, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  // #region app
  const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
  app.register(jwksAuth, issuer)
  app.get(
    '/orders',
    {
      onRequest: authorize({ scope: 'read:orders' }),
      schema: { querystring: Type.Object({ page: Type.Integer({ default: 1 }) }) },
    },
    async ({ user, query }) => ({ of: user.sub, page: query.page + 1 }),
  )
  // #endregion
  return app
}
