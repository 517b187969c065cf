import Fastify from 'fastify'
import jwksAuth, { JwksAuthError, type JwksAuthOptions } from 'fastify-jwks-auth'

declare module 'fastify-jwks-auth' {
  interface JwksAuthTypes {
    claims: { permissions: string[] }
  }
}

const options: JwksAuthOptions = {
  domain: 'tenant.eu.auth0.com',
  audience: ['https://api.example.com'],
  jwks: { timeout: 1000 },
}

const app = Fastify()
await app.register(jwksAuth, options)
app.get('/secured/ping', { preHandler: app.authenticate }, async (request) => {
  const subject: string | undefined = request.user.sub
  const permissions: string[] = request.user.permissions
  return [subject, permissions, request.accessToken?.raw]
})
app.setErrorHandler((error, _request, reply) => {
  if (!(error instanceof JwksAuthError)) throw error
  return reply.status(error.statusCode).send({ code: error.code, description: error.message })
})
