import jwt from '@fastify/jwt'
import { suite, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { build as buildCookie } from '../../../docs/examples/cookie.ts'
import { build as buildCors } from '../../../docs/examples/cors.ts'
import { build as buildEither } from '../../../docs/examples/either.ts'
import { build as buildFastifyJwt } from '../../../docs/examples/fastify-jwt.ts'
import { build as buildJsonSchemaToTs } from '../../../docs/examples/json-schema-to-ts.ts'
import { build as buildOpenApi } from '../../../docs/examples/openapi.ts'
import { build as buildRateLimit } from '../../../docs/examples/rate-limit.ts'
import { build as buildTypeBox } from '../../../docs/examples/typebox.ts'
import jwksAuth, { type IssuerOptions } from '../../../lib/index.ts'
import { call, readAnswer } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

/** The recipes that combine the plugin with another one. */

test('with @fastify/cookie a token is read from its cookie only', async (t) => {
  const { issuer, app } = await setUp(t, buildCookie)
  const token = await issuer.token()
  const accepted = await app.inject({ url: '/me', cookies: { access_token: token } })
  t.assert.equal(accepted.body, 'someone')
  const forged = await app.inject({ url: '/me', cookies: { access_token: `${token}x` } })
  t.assert.equal(forged.statusCode, 401)
  t.assert.equal(readAnswer(await app.inject('/me')).code, 'authorization_header_missing')
  t.assert.equal(readAnswer(await call(app, token, '/me')).code, 'authorization_header_missing')
})

test('with @fastify/cors a preflight needs no token, and the next request needs one and can read its challenge', async (t) => {
  const { issuer, app } = await setUp(t, buildCors)
  const origin = 'https://shop.example.com'
  const preflight = await app.inject({
    method: 'OPTIONS',
    url: '/me',
    headers: {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization',
    },
  })
  t.assert.equal(preflight.statusCode, 204)
  t.assert.equal(preflight.headers['access-control-allow-headers'], 'Authorization, Content-Type, DPoP')
  const put = async (headers: Record<string, string>) =>
    app.inject({ method: 'PUT', url: '/me', headers: { origin, ...headers } })
  const refused = await put({})
  t.assert.equal(refused.statusCode, 401)
  t.assert.equal(refused.headers['access-control-allow-origin'], origin)
  t.assert.equal(
    refused.headers['access-control-expose-headers'],
    'WWW-Authenticate, Retry-After, DPoP-Nonce',
  )
  t.assert.equal(refused.headers['www-authenticate'], 'Bearer realm="api"')
  const accepted = await put({ authorization: `Bearer ${await issuer.token()}` })
  t.assert.equal(accepted.body, 'someone')
  // @fastify/cors itself answers an OPTIONS request that is no preflight.
  const options = await app.inject({ method: 'OPTIONS', url: '/me' })
  t.assert.equal(options.statusCode, 400)
})

suite('@fastify/auth with a token or a password', () => {
  const build = (issuer: IssuerOptions): Promise<FastifyInstance> =>
    buildEither(issuer, async (name, password) => name === 'partner' && password === 'right')
  const basic = (password: string): { url: string; headers: Record<string, string> } => ({
    url: '/report',
    headers: { authorization: `Basic ${btoa(`partner:${password}`)}` },
  })
  const both = ['Basic realm="partners", charset="UTF-8"', 'Bearer realm="api"']

  test('with @fastify/auth a token or a password is accepted, and the answer has no challenge', async (t) => {
    const { issuer, app } = await setUp(t, build)
    const byToken = await call(app, await issuer.token(), '/report')
    t.assert.equal(byToken.body, 'someone')
    t.assert.equal(byToken.headers['www-authenticate'], undefined)
    const byPassword = await app.inject(basic('right'))
    t.assert.equal(byPassword.body, 'a partner')
    t.assert.equal(byPassword.headers['www-authenticate'], undefined)
  })

  test('with @fastify/auth a refusal has the challenges of both strategies', async (t) => {
    const { app } = await setUp(t, build)
    for (const request of ['/report', basic('wrong')]) {
      const response = await app.inject(request)
      t.assert.equal(response.statusCode, 401)
      t.assert.deepEqual(response.headers['www-authenticate'], both)
    }
    const forged = await call(app, 'forged', '/report')
    t.assert.deepEqual(forged.headers['www-authenticate'], [both[0], `${both[1]}, error="invalid_token"`])
  })
})

suite('@fastify/jwt in the same instance', () => {
  test('tokens of @fastify/jwt are no access tokens, and access tokens are none of its tokens', async (t) => {
    const { issuer, app } = await setUp(t, (options) =>
      buildFastifyJwt(options, 'the secret of the application'),
    )
    const cart = (await app.inject({ method: 'POST', url: '/carts' })).body
    t.assert.match((await call(app, cart, '/cart')).body, /^[0-9a-f-]{36}$/)
    t.assert.equal((await call(app, cart, '/me')).statusCode, 401)
    const token = await issuer.token()
    t.assert.equal((await call(app, token, '/me')).body, 'someone')
    t.assert.notEqual((await call(app, token, '/cart')).statusCode, 200)
  })

  test('@fastify/jwt under its default decorator name is an error that names the decorator', async (t) => {
    const app = Fastify()
    await app.register(jwt, { secret: 'secret' })
    const registered = app.register(jwksAuth, { issuer: 'https://issuer.example', audience: 'api' })
    await t.assert.rejects(async () => registered, /fastify-jwks-auth: the decorator "user" exists already/)
  })
})

test('with @fastify/swagger the OpenAPI document has the scopes that the routes require', async (t) => {
  const { issuer, app } = await setUp(t, buildOpenApi)
  await app.ready()
  const document = JSON.parse(JSON.stringify(app.swagger())) as {
    components: { securitySchemes: object }
    paths: Record<string, { get: { summary?: string; security?: object } }>
  }
  t.assert.deepEqual(document.components.securitySchemes, {
    openId: {
      type: 'openIdConnect',
      openIdConnectUrl: `${issuer.issuer}/.well-known/openid-configuration`,
    },
  })
  const securityOf = (path: string): unknown => document.paths[path]!.get.security
  t.assert.equal(document.paths['/orders']!.get.summary, 'All orders')
  t.assert.deepEqual(securityOf('/orders'), [{ openId: ['read:orders'] }])
  t.assert.deepEqual(securityOf('/me'), [{ openId: [] }])
  t.assert.deepEqual(securityOf('/offers'), [{}, { openId: [] }])
  t.assert.equal(securityOf('/ping'), undefined)
  t.assert.deepEqual(securityOf('/users'), [{ openId: ['admin'] }])

  const token = await issuer.token()
  const powerful = await issuer.token({ claims: { scope: 'read:orders admin' } })
  for (const path of ['/orders', '/users']) {
    t.assert.equal(readAnswer(await call(app, token, path)).code, 'insufficient_scope')
    t.assert.equal((await call(app, powerful, path)).statusCode, 200)
  }
  t.assert.equal((await call(app, token, '/me')).body, 'someone')
  t.assert.equal((await app.inject('/me')).statusCode, 401)
  t.assert.equal((await app.inject('/offers')).statusCode, 200)
  t.assert.equal((await app.inject('/ping')).statusCode, 200)
})

test('with @fastify/rate-limit each user has a limit, and forged tokens count against no user', async (t) => {
  const { issuer, app } = await setUp(t, (options) => buildRateLimit(options, 2))
  const status = async (sub: string): Promise<number> =>
    (await call(app, await issuer.token({ claims: { sub } }), '/me')).statusCode
  for (let forged = 0; forged < 5; forged++) {
    t.assert.equal((await call(app, 'forged', '/me')).statusCode, 401)
  }
  t.assert.deepEqual([await status('a'), await status('a'), await status('a')], [200, 200, 429])
  t.assert.deepEqual([await status('b'), await status('b'), await status('b')], [200, 200, 429])
  t.assert.equal((await app.inject('/public')).statusCode, 200)
})

for (const [name, build] of Object.entries({
  TypeBox: buildTypeBox,
  'json-schema-to-ts': buildJsonSchemaToTs,
})) {
  test(`a route with ${name} has the user and its validated query`, async (t) => {
    const { issuer, app } = await setUp(t, build)
    const token = await issuer.token({ claims: { scope: 'read:orders' } })
    const { statusCode, body } = await call(app, token, '/orders?page=2')
    t.assert.deepEqual([statusCode, body], [200, '{"of":"someone","page":3}'])
    // The token is checked before the query is validated.
    t.assert.equal((await app.inject('/orders?page=x')).statusCode, 401)
    t.assert.equal((await call(app, token, '/orders?page=x')).statusCode, 400)
  })
}
