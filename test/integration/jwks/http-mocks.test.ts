import { suite, test } from 'node:test'
import mockJwks from 'mock-jwks'
import { http, HttpResponse } from 'msw'
import { setupServer } from 'msw/node'
import nock from 'nock'
import { call, createApp } from '../../helpers/app.ts'
import { createKeyPair, now, sign } from '../../helpers/issuer.ts'

/** Tools that patch node:http and node:https to answer the requests of a process. */

const key = await createKeyPair('RS256')
const issuer = 'https://id.example.com/'
const metadata = { issuer, jwks_uri: `${issuer}keys` }
const token = await sign(key, { iss: issuer, aud: 'api', sub: 'someone', exp: now() + 600 })

suite('tools that answer HTTP requests in tests', () => {
  test('nock answers the fetches of the plugin, so a token is accepted', async (t) => {
    const scope = nock('https://id.example.com')
    scope.get('/.well-known/openid-configuration').reply(200, metadata)
    scope.get('/keys').reply(200, { keys: [key.jwk] })
    t.after(() => nock.restore())
    const app = await createApp({ issuer, audience: 'api' })
    t.assert.equal((await call(app, token)).statusCode, 200)
    t.assert.equal(scope.isDone(), true)
  })

  test('msw answers the fetches of the plugin, so a token is accepted', async (t) => {
    const server = setupServer(
      http.get(`${issuer}.well-known/openid-configuration`, () => HttpResponse.json(metadata)),
      http.get(`${issuer}keys`, () => HttpResponse.json({ keys: [key.jwk] })),
    )
    server.listen({ onUnhandledRequest: 'error' })
    t.after(() => server.close())
    const app = await createApp({ issuer, audience: 'api' })
    t.assert.equal((await call(app, token)).statusCode, 200)
  })

  test('mock-jwks answers the fetches of the plugin, so its token is accepted', async (t) => {
    // oxlint-disable-next-line import/no-named-as-default-member -- Node does not find the names of this CommonJS package.
    const mock = mockJwks.createJWKSMock('https://tenant.eu.auth0.com', '/.well-known/jwks.json')
    t.after(mock.start())
    const app = await createApp({ domain: 'tenant.eu.auth0.com', audience: 'api' })
    const claims = { iss: 'https://tenant.eu.auth0.com/', aud: 'api', exp: now() + 600 }
    t.assert.equal((await call(app, mock.token(claims))).statusCode, 200)
  })
})
