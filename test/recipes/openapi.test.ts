import { test } from 'node:test'
import { build } from '../../docs/examples/openapi.ts'
import { call, verdict } from '../helpers/app.ts'
import { setUp } from './set-up.ts'

test('the OpenAPI document says which scopes a route demands, and the route demands them', async (t) => {
  const { issuer, app } = await setUp(t, ({ issuer, audience }) => build(issuer!, audience as string))
  await app.ready()
  const document = JSON.parse(JSON.stringify(app.swagger())) as {
    components: { securitySchemes: object }
    paths: Record<string, { get: { security?: object } }>
  }
  t.assert.deepEqual(document.components.securitySchemes, {
    oidc: {
      type: 'openIdConnect',
      openIdConnectUrl: `${issuer.issuer}/.well-known/openid-configuration`,
    },
    token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  })
  t.assert.deepEqual(document.paths['/orders']!.get.security, [{ oidc: ['read:orders'] }, { token: [] }])
  t.assert.deepEqual(document.paths['/me']!.get.security, [{ oidc: [] }, { token: [] }])
  t.assert.equal(document.paths['/ping']!.get.security, undefined)

  const token = await issuer.token()
  t.assert.equal(verdict(await call(app, token, '/orders')).code, 'insufficient_scope')
  const reader = await issuer.token({ claims: { scope: 'read:orders' } })
  t.assert.equal((await call(app, reader, '/orders')).statusCode, 200)
  t.assert.equal((await call(app, token, '/me')).body, 'someone')
  t.assert.equal((await app.inject('/me')).statusCode, 401)
  t.assert.equal((await app.inject('/ping')).statusCode, 200)
})
