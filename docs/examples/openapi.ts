import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, {
  authenticate,
  authenticateOptional,
  authorize,
  type JwksAuthOptions,
} from 'fastify-jwks-auth'

export async function build(issuer: JwksAuthOptions): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  await app.register(jwksAuth, issuer)
  const { components, transform } = app.openApiSecurity()
  await app.register(swagger, {
    openapi: { info: { title: 'Orders', version: '1.0.0' }, components },
    transform,
  })
  const schema = { summary: 'All orders' }
  app.get('/orders', { schema, onRequest: authorize({ scope: 'read:orders' }) }, async () => [])
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  app.get('/offers', { onRequest: authenticateOptional }, async () => [])
  app.get('/ping', async () => 'public')
  // #endregion
  // #region scope
  app.register(async (admin) => {
    const isAdmin = authorize({ scope: 'admin' })
    admin.addHook('onRoute', (route) => {
      route.onRequest = [isAdmin, ...[route.onRequest ?? []].flat()]
    })
    admin.get('/users', async () => [])
  })
  // #endregion
  return app
}
