const Fastify = require('fastify')
const jwksAuth = require('fastify-jwks-auth')
const { createTestIssuer } = require('fastify-jwks-auth/testing')

async function main() {
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
}

main()
