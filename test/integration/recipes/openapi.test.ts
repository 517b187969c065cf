import { test } from 'node:test'
import { build } from '../../../docs/examples/openapi.ts'
import { call, verdict } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

test('the OpenAPI document says which scopes a route demands, and the route demands them', async (t) => {
  const { issuer, app } = await setUp(t, build)
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
    t.assert.equal(verdict(await call(app, token, path)).code, 'insufficient_scope')
    t.assert.equal((await call(app, powerful, path)).statusCode, 200)
  }
  t.assert.equal((await call(app, token, '/me')).body, 'someone')
  t.assert.equal((await app.inject('/me')).statusCode, 401)
  t.assert.equal((await app.inject('/offers')).statusCode, 200)
  t.assert.equal((await app.inject('/ping')).statusCode, 200)
})
