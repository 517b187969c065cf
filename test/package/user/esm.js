import Fastify from 'fastify'
import jwksAuth from 'fastify-jwks-auth'

const app = Fastify()
await app.register(jwksAuth, {
  issuer: 'https://issuer.example/',
  audience: 'https://api.example.com',
  secret: process.env.SECRET,
})
app.get('/secured/ping', { onRequest: app.authenticate }, async (request) => request.user.sub)
console.log(await app.listen())
