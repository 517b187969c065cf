import jwt from '@fastify/jwt'
import { suite, test } from 'node:test'
import Fastify from 'fastify'
import { build } from '../../../docs/examples/fastify-jwt.ts'
import jwksAuth from '../../../lib/index.ts'
import { call } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

suite('@fastify/jwt in one instance', () => {
  test('signs and verifies tokens of its own, which are nobody’s access tokens', async (t) => {
    const { issuer, app } = await setUp(t, (options) => build(options, 'a secret of the application’s own'))
    const cart = (await app.inject({ method: 'POST', url: '/carts' })).body
    t.assert.match((await call(app, cart, '/cart')).body, /^[0-9a-f-]{36}$/)
    t.assert.equal((await call(app, cart, '/me')).statusCode, 401)
    const token = await issuer.token()
    t.assert.equal((await call(app, token, '/me')).body, 'someone')
    t.assert.notEqual((await call(app, token, '/cart')).statusCode, 200)
  })

  test('needs another name than user', async (t) => {
    const app = Fastify()
    await app.register(jwt, { secret: 'secret' })
    const registered = app.register(jwksAuth, { issuer: 'https://issuer.example', audience: 'api' })
    await t.assert.rejects(async () => registered, /fastify-jwks-auth: the decorator "user" is there already/)
  })
})
