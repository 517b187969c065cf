import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authorize, type JwksAuthOptions } from 'fastify-jwks-auth'

export async function build(auth: JwksAuthOptions): Promise<FastifyInstance> {
  const app = Fastify()
  app.register(jwksAuth, auth)
  app.get('/ping', async () => 'public')
  app.get('/secured/ping', { onRequest: authorize({ scope: 'read:ping' }) }, async (request) => {
    return `hello ${request.user.sub}`
  })
  return app
}
