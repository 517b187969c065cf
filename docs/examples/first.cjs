const Fastify = require('fastify')
const jwksAuth = require('fastify-jwks-auth')

const app = Fastify({ logger: true })
app.register(jwksAuth, {
  issuer: 'https://login.example.com/realms/acme',
  audience: 'https://api.example.com',
})
app.get('/ping', async () => 'public')
app.register(async (secured) => {
  secured.addHook('onRequest', app.authenticate) // for every route in this scope
  secured.get('/secured/ping', async (request) => request.user.sub)
})
void app.listen({ port: 3000 })
