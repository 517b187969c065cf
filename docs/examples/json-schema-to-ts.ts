import type { JsonSchemaToTsProvider } from '@fastify/type-provider-json-schema-to-ts'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authorize, type IssuerOptions } from 'fastify-jwks-auth'

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  // #region app
  const app = Fastify().withTypeProvider<JsonSchemaToTsProvider>()
  app.register(jwksAuth, issuer)
  const querystring = {
    type: 'object',
    properties: { page: { type: 'integer', default: 1 } },
    required: ['page'],
  } as const
  app.get(
    '/orders',
    { onRequest: authorize({ scope: 'read:orders' }), schema: { querystring } },
    async ({ user, query }) => ({ of: user.sub, page: query.page + 1 }),
  )
  // #endregion
  return app
}
