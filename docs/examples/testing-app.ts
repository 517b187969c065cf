import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { type JwksAuthOptions } from 'fastify-jwks-auth'

export async function build(auth: JwksAuthOptions): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(jwksAuth, auth)
  app.get('/secured/ping', { onRequest: [app.authorize({ scope: 'read:ping' })] }, async (request) => {
    return `hello ${request.user.sub}`
  })
  return app
}
