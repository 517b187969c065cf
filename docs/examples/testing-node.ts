// #region first
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { createDPoPClient, createTestIssuer, openRoutes, type TestIssuer } from 'fastify-jwks-auth/testing'
import { build } from './testing-app.ts'

let issuer: TestIssuer
let app: FastifyInstance

beforeEach(async () => {
  issuer = await createTestIssuer()
  app = await build(issuer.options)
})

afterEach(async () => {
  await app.close()
  await issuer.close()
})

const ping = (token: string) =>
  app.inject({ url: '/secured/ping', headers: { authorization: `Bearer ${token}` } })

test('a token with the scope is accepted', async () => {
  const response = await ping(issuer.token({ sub: 'Ada', scope: 'read:ping' }))
  assert.equal(response.statusCode, 200)
  assert.equal(response.body, 'hello Ada')
})
// #endregion

// #region scopes
test('another scope is not enough', async () => {
  const response = await ping(issuer.token({ scope: 'read:pong' }))
  assert.equal(response.statusCode, 403)
  assert.equal(response.json().code, 'insufficient_scope')
})
// #endregion

// #region open
test('every route needs a token, except these', async () => {
  assert.deepEqual(await openRoutes(() => build(issuer.options)), ['GET /ping'])
})
// #endregion

// #region bad
const bad: Record<string, () => string> = {
  'that has expired': () => issuer.token({}, { expiresIn: -60_000 }),
  'with a forged signature': () => issuer.token({}, { forged: true }),
  'for another audience': () => issuer.token({ aud: 'another' }),
  'of another issuer': () => issuer.token({ iss: 'https://another.example' }),
  'without a signature': () => issuer.token({}, { algorithm: 'none' }),
  'signed with a secret': () => issuer.token({}, { algorithm: 'HS256' }),
  'that is not valid yet': () => issuer.token({ nbf: Date.now() / 1000 + 60 }),
}
for (const [name, token] of Object.entries(bad)) {
  test(`a token ${name} is refused`, async () => {
    assert.equal((await ping(token())).statusCode, 401)
  })
}
// #endregion

// #region expiry
test('a token works until it expires', async (t) => {
  const token = issuer.token({ scope: 'read:ping' }, { expiresIn: 60_000 })
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.mock.timers.tick(59_000)
  assert.equal((await ping(token)).statusCode, 200)
  // The plugin adds clockTolerance, five seconds by default.
  t.mock.timers.tick(7_000)
  assert.equal((await ping(token)).json().code, 'token_expired')
})
// #endregion

// #region rotation
test('after a rotation only the new key is accepted', async () => {
  const old = issuer.token({ scope: 'read:ping' })
  assert.equal((await ping(old)).statusCode, 200)
  issuer.rotate({ keepOld: false })
  assert.equal((await ping(issuer.token({ scope: 'read:ping' }))).statusCode, 200)
  assert.equal(issuer.fetches, 2)
  assert.equal((await ping(old)).statusCode, 401)
})
// #endregion

// #region outage
test('an outage is answered 503 unless the key is known', async () => {
  const token = issuer.token({ scope: 'read:ping' })
  await issuer.goDown()
  assert.equal((await ping(token)).statusCode, 503)
  await issuer.comeBack()
  assert.equal((await ping(token)).statusCode, 200)
  await issuer.goDown()
  assert.equal((await ping(token)).statusCode, 200)
})
// #endregion

// #region dpop
test('a bound token needs a proof', async () => {
  const url = 'https://api.example.com/secured/ping'
  const bound = await build({ ...issuer.options, dpop: { baseUrl: 'https://api.example.com' } })
  const client = createDPoPClient()
  const token = issuer.token({ scope: 'read:ping' }, { boundTo: client })
  const status = async (headers: Record<string, string>) =>
    (await bound.inject({ url: '/secured/ping', headers })).statusCode
  const headers = client.headers({ url, token })
  assert.equal(await status(headers), 200)
  assert.equal(await status(headers), 401)
  assert.equal(await status({ authorization: `Bearer ${token}` }), 401)
  assert.equal(await status(client.headers({ url, token }, { claims: { htm: 'PUT' } })), 401)
  await bound.close()
})
// #endregion

// #region offline
test('without HTTP', async () => {
  const closed = await createTestIssuer({ algorithm: 'HS256' })
  await closed.close()
  const offline = await build(closed.options)
  const authorization = `Bearer ${closed.token({ scope: 'read:ping' })}`
  const response = await offline.inject({ url: '/secured/ping', headers: { authorization } })
  assert.equal(response.statusCode, 200)
  await offline.close()
})
// #endregion
