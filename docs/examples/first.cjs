const Fastify = require('fastify')
// #region require
const jwksAuth = require('fastify-jwks-auth')
const { authenticate } = jwksAuth
// #endregion

const app = Fastify({ logger: true })
app.register(jwksAuth, {
  issuer: 'https://login.example.com/realms/acme',
  audience: 'https://api.example.com',
})

app.get('/ping', async () => 'public')
app.get('/secured/ping', { onRequest: authenticate }, async (request) => request.user.sub)

void app.listen({ port: 3000 })
