import Fastify from 'fastify'
import jwksAuth, { authenticate, JwksAuthError } from 'fastify-jwks-auth'
import required = require('fastify-jwks-auth')
import { createTestIssuer } from 'fastify-jwks-auth/testing'
import type { JwksAuthOptions } from 'fastify-jwks-auth' with { 'resolution-mode': 'import' }

const options: JwksAuthOptions = { issuer: 'https://issuer.example', audience: false }

const app = Fastify()
app.register(jwksAuth, options)
app.register(required, options)
app.register(required.default, options)
app.get('/optional', { onRequest: app.authenticateOptional }, async (request) => request.user.sub)
app.get('/exported', { onRequest: authenticate }, async (request) => request.user.sub)
app.get('/property', { onRequest: required.authorize({ scope: 'a' }) }, async (request) => request.user.sub)
app.setErrorHandler((error, _request, reply) => {
  if (error instanceof JwksAuthError) reply.send({ code: error.code })
  if (error instanceof required.JwksAuthError) reply.send({ code: error.code })
})

createTestIssuer({ secret: 'a secret of thirty-two bytes or more' }).then((issuer) =>
  app.register(jwksAuth, issuer.options),
)
