import Fastify from 'fastify'
import jwksAuth from '../../../lib/index.ts'

// The hooks fit servers of every kind.
const app = Fastify({ http2: true })
await app.register(jwksAuth, { issuer: 'https://issuer.example', audience: 'api' })
app.addHook('onRequest', app.authenticate)
app.addHook('preParsing', app.authenticateOptional)
app.get('/', { preHandler: app.authorize({ scope: 'a' }) }, async (request) => request.user.sub)
app.post<{ Body: { a: string } }>('/', { onRequest: app.authenticate }, async (request, reply) => {
  await app.authenticate(request, reply)
  return request.body.a
})
