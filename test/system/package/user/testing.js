import Fastify from 'fastify'
import jwksAuth from 'fastify-jwks-auth'
import { createTestIssuer } from 'fastify-jwks-auth/testing'

const issuer = await createTestIssuer()
const app = Fastify()
await app.register(jwksAuth, issuer.options)
app.get('/', { onRequest: app.authenticate }, async (request) => request.user.sub)
const ask = (token) => app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
const good = await ask(issuer.token())
const expired = await ask(issuer.token({}, { expiresIn: -60_000 }))
console.log(good.body, expired.json().code)
await app.close()
await issuer.close()
