import Fastify from 'fastify'
import jwksAuth, { authorize } from 'fastify-jwks-auth'
import { redisStore } from 'fastify-jwks-auth/redis'
import { createTestIssuer, TestIssuer } from 'fastify-jwks-auth/testing'

const app = Fastify()
app.register(jwksAuth) // wrong: options are missing
app.register(jwksAuth, { domain: 'tenant.eu.auth0.com' }) // wrong: the audience is missing
app.register(jwksAuth, { domain: 'tenant.eu.auth0.com', audience: 'api', leeway: 1 }) // wrong: no such option
app.register(jwksAuth, { domain: 'tenant.eu.auth0.com', audience: 'api', algorithms: ['none'] }) // wrong: no such algorithm
app.register(jwksAuth, { domain: 'tenant.eu.auth0.com', issuer: 'https://issuer.example', audience: 'api' }) // wrong: one of the two
app.get('/', { preHandler: app.authorise }, async () => 'pong') // wrong: no such decorator
app.get('/', { preHandler: app.authenticate }, async (request) => {
  const subject: string = request.user.sub // wrong: a token may be without one
  request.user.sub = 'someone else' // wrong: claims are read-only
  return subject
})
authorize({ scopes: 'read:ping' }) // wrong: no such member of a rule
app.get('/', { preHandler: authorize }, async () => 'pong') // wrong: authorize is not called
createTestIssuer({ algorithm: 'none' }) // wrong: an issuer signs
createTestIssuer({ audiense: 'api' }) // wrong: no such option
createTestIssuer().then((issuer) => issuer.token({}, { expiresIn: '1h' })) // wrong: milliseconds
new TestIssuer() // wrong: createTestIssuer makes one
redisStore({ get: async () => null }) // wrong: no client of Redis
redisStore({ sendCommand: async () => null }, { prefix: 1 }) // wrong: text
