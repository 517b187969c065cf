import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { generateKeyPair, SignJWT } from 'jose'
import { build } from '../../../demo/server.ts'
import { publicBody } from '../../helpers/demo-words.ts'

async function api(t: TestContext, domain = 'tenant.example.com'): Promise<FastifyInstance> {
  const app = await build({ domain, audience: 'my-api' })
  t.after(() => app.close())
  return app
}

function securedPing(app: FastifyInstance, token: string) {
  return app.inject({ url: '/secured/ping', headers: { authorization: `Bearer ${token}` } })
}

/** Creates a token that names the issuer but is signed with another key. */
function forge(issuer: string, alg = 'HS256', key: Parameters<SignJWT['sign']>[0] = randomBytes(32)) {
  return new SignJWT()
    .setProtectedHeader({ alg, kid: 'one' })
    .setIssuer(issuer)
    .setAudience('my-api')
    .setExpirationTime('1h')
    .sign(key)
}

test('the public route of the demo needs no token', async (t) => {
  const response = await (await api(t)).inject('/ping')
  t.assert.equal(response.statusCode, 200)
  t.assert.equal(response.body, publicBody)
})

test('a refusal of the demo has the challenge of the plugin and the body of the demo', async (t) => {
  const response = await securedPing(await api(t), 'no-token')
  t.assert.equal(response.statusCode, 401)
  t.assert.match(String(response.headers['www-authenticate']), /^Bearer realm="api", error="invalid_token"/)
  t.assert.deepEqual(response.json(), {
    code: 'invalid_header',
    description: 'Unable to parse authentication token.',
  })
})

test('the issuer of an Auth0 domain ends with a slash', async (t) => {
  const app = await api(t)
  const other = await securedPing(app, await forge('https://tenant.example.com'))
  t.assert.equal(other.json().code, 'invalid_claims')
  const own = await securedPing(app, await forge('https://tenant.example.com/'))
  t.assert.equal(own.json().code, 'invalid_algorithm')
})

test('the demo responds with 503, a code and a description if the issuer cannot be reached', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const domain = `localhost:${(server.address() as AddressInfo).port}`
  server.close()
  await once(server, 'close')

  const { privateKey } = await generateKeyPair('ES256')
  const response = await securedPing(
    await api(t, domain),
    await forge(`https://${domain}/`, 'ES256', privateKey),
  )
  t.assert.equal(response.statusCode, 503)
  t.assert.match(String(response.headers['retry-after']), /^[1-9]\d*$/)
  t.assert.deepEqual(Object.keys(response.json()), ['code', 'description'])
  t.assert.equal(response.json().code, 'jwks_unavailable')
})

test('the demo responds to an unknown route with 404, a code and a description', async (t) => {
  const response = await (await api(t)).inject('/nowhere')
  t.assert.equal(response.statusCode, 404)
  t.assert.deepEqual(response.json(), { code: 'not_found', description: 'There is no such route' })
})

test('the demo responds to a malformed URL with 400, a code and a description', async (t) => {
  const response = await (await api(t)).inject('/%')
  t.assert.equal(response.statusCode, 400)
  t.assert.deepEqual(Object.keys(response.json()), ['code', 'description'])
})

test('the demo does not reveal the message of an internal error', async (t) => {
  const app = await api(t)
  app.get('/error', async () => {
    throw new Error('the password is 1234')
  })
  const response = await app.inject('/error')
  t.assert.equal(response.statusCode, 500)
  t.assert.deepEqual(response.json(), { code: 'internal_error', description: 'Something went wrong' })
})

test('with a list of origins the demo allows exactly these origins', async (t) => {
  const auth = { domain: 'tenant.example.com', audience: 'my-api' }
  const app = await build(auth, false, ['https://app.example.com', 'http://localhost:3000'])
  t.after(() => app.close())
  for (const [origin, allowed] of [
    ['https://app.example.com', 'https://app.example.com'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['https://app.example.com.evil.example', undefined],
    ['null', undefined],
  ] as const) {
    const preflight = { origin, 'access-control-request-method': 'GET' }
    for (const method of ['OPTIONS', 'GET'] as const) {
      const { headers } = await app.inject({ method, url: '/secured/ping', headers: preflight })
      t.assert.equal(headers['access-control-allow-origin'], allowed)
      t.assert.equal(headers.vary, 'Origin')
    }
  }
})
