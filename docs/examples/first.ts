import Fastify from 'fastify'
import jwksAuth, { authenticate } from 'fastify-jwks-auth'

const app = Fastify({ logger: true })
app.register(jwksAuth, {
  issuer: 'https://login.example.com/realms/acme',
  audience: 'https://api.example.com',
})

app.get('/ping', async () => 'public')
app.get('/secured/ping', { onRequest: authenticate }, async (request) => request.user.sub)

await app.listen({ port: 3000 })
