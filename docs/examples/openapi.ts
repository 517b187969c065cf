import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type FastifySchema, type RouteShorthandOptions } from 'fastify'
import jwksAuth from 'fastify-jwks-auth'

export async function build(issuer: string, audience: string): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(swagger, {
    openapi: {
      info: { title: 'Orders', version: '1.0.0' },
      components: {
        securitySchemes: {
          oidc: {
            type: 'openIdConnect',
            openIdConnectUrl: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
          },
          token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        },
      },
    },
  })
  await app.register(jwksAuth, { issuer, audience })

  /** A route that demands scopes, and says so in the document. */
  const secured = (scope: string[], schema: FastifySchema = {}): RouteShorthandOptions => ({
    onRequest: scope.length > 0 ? app.authorize({ scope }) : app.authenticate,
    schema: { ...schema, security: [{ oidc: scope }, { token: [] }] },
  })
  app.get('/orders', secured(['read:orders'], { summary: 'All orders' }), async () => [])
  app.get('/me', secured([]), async (request) => request.user.sub)
  app.get('/ping', async () => 'public')
  // #endregion
  return app
}
