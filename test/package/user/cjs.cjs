const Fastify = require('fastify')
const jwksAuth = require('fastify-jwks-auth')

const app = Fastify()
app.register(jwksAuth, {
  issuer: 'https://issuer.example/',
  audience: 'https://api.example.com',
  secret: process.env.SECRET,
})
app.register(async (secured) => {
  secured.addHook('onRequest', app.authenticate)
  secured.get('/secured/ping', async (request) => request.user.sub)
})
app.listen().then(console.log)
