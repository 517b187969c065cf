import { test } from 'node:test'
import { build } from '../../../docs/examples/cors.ts'
import { setUp } from '../../helpers/recipe.ts'

test('a preflight needs no token, the request after it does and shows its challenge', async (t) => {
  const { issuer, app } = await setUp(t, build)
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
  t.assert.equal(preflight.headers['access-control-allow-headers'], 'Authorization, Content-Type')
  const put = async (headers: Record<string, string>) =>
    app.inject({ method: 'PUT', url: '/me', headers: { origin, ...headers } })
  const refused = await put({})
  t.assert.equal(refused.statusCode, 401)
  t.assert.equal(refused.headers['access-control-allow-origin'], origin)
  t.assert.equal(refused.headers['access-control-expose-headers'], 'WWW-Authenticate, Retry-After')
  t.assert.equal(refused.headers['www-authenticate'], 'Bearer realm="api"')
  const accepted = await put({ authorization: `Bearer ${await issuer.token()}` })
  t.assert.equal(accepted.body, 'someone')
  // Fastify's own answer for an OPTIONS request that is no preflight.
  const options = await app.inject({ method: 'OPTIONS', url: '/me' })
  t.assert.equal(options.statusCode, 400)
})
