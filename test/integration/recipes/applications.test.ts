import { test } from 'node:test'
import { build as buildGateway } from '../../../docs/examples/gateway.ts'
import { build as buildGraphql } from '../../../docs/examples/graphql.ts'
import { build as buildRoles } from '../../../docs/examples/keycloak-roles.ts'
import { build as buildRefusals } from '../../../docs/examples/refusals.ts'
import { call, readAnswer } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

/** The recipes for GraphQL, roles of Keycloak, headers of gateways, and logs. */

test('a token is read from the header of a gateway only, with and without the scheme', async (t) => {
  const { issuer, app } = await setUp(t, async (options) => buildGateway(options))
  const token = await issuer.token()
  for (const value of [token, `Bearer ${token}`, `bearer ${token}`]) {
    const headers = { 'x-forwarded-access-token': value }
    t.assert.equal((await app.inject({ url: '/me', headers })).body, 'someone')
  }
  const twice = { 'x-forwarded-access-token': `${token}, ${token}` }
  t.assert.equal((await app.inject({ url: '/me', headers: twice })).statusCode, 401)
  t.assert.equal(readAnswer(await call(app, token, '/me')).code, 'authorization_header_missing')
})

test("Keycloak's roles of a realm and of a client are checked in their nested claims", async (t) => {
  const { issuer, app } = await setUp(t, async (options) => buildRoles(options))
  const admin = { realm_access: { roles: ['offline_access', 'admin'] } }
  const reader = { resource_access: { orders: { roles: ['reader'] }, account: { roles: ['admin'] } } }
  const rows: [claims: Record<string, unknown>, statuses: number[]][] = [
    [{}, [403, 403, 403]],
    [admin, [403, 200, 403]],
    [reader, [200, 403, 403]],
    [{ ...admin, ...reader }, [200, 200, 200]],
    [{ resource_access: { other: { roles: ['reader'] } } }, [403, 403, 403]],
    [{ realm_access: 'admin', resource_access: null }, [403, 403, 403]],
  ]
  for (const [claims, statuses] of rows) {
    const headers = { authorization: `Bearer ${await issuer.token({ claims })}` }
    const answers = [
      await app.inject({ url: '/orders', headers }),
      await app.inject({ url: '/users', headers }),
      await app.inject({ method: 'DELETE', url: '/orders', headers }),
    ]
    t.assert.deepEqual(
      answers.map(({ statusCode }) => statusCode),
      statuses,
    )
  }
})

test('GraphQL queries need a token, and a mutation needs its scope', async (t) => {
  const { issuer, app } = await setUp(t, async (options) => buildGraphql(options))
  const ask = async (query: string, claims?: Record<string, unknown>) => {
    const headers = claims && { authorization: `Bearer ${await issuer.token({ claims })}` }
    return app.inject({ method: 'POST', url: '/graphql', payload: { query }, ...(headers && { headers }) })
  }
  const refused = await ask('{ me }')
  t.assert.equal(refused.statusCode, 401)
  t.assert.equal(refused.headers['www-authenticate'], 'Bearer realm="api"')
  t.assert.deepEqual((await ask('{ me }', {})).json(), { data: { me: 'someone' } })
  const lacking = (await ask('mutation { addOrder }', {})).json<{
    data: unknown
    errors: [{ message: string }]
  }>()
  t.assert.deepEqual(lacking.data, { addOrder: null })
  t.assert.equal(lacking.errors[0].message, 'the access token does not permit this request')
  const permitted = await ask('mutation { addOrder }', { scope: 'write:orders' })
  t.assert.deepEqual(permitted.json(), { data: { addOrder: true } })
})

test("a refusal is logged with its code and the request's id, and an accepted request is not", async (t) => {
  const lines: Record<string, unknown>[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) }
  const { issuer, app } = await setUp(t, async (options) => buildRefusals(options, { stream }))
  const token = await issuer.token({ claims: { aud: 'other' } })
  for (const authorization of [`Bearer ${token}`, `Bearer ${await issuer.token()}`]) {
    await app.inject({ url: '/me', headers: { authorization } })
  }
  const refusals = lines.filter(({ msg }) => msg === 'request refused')
  t.assert.deepEqual(
    refusals.map(({ level, reqId, code }) => [level, reqId, code]),
    [[40, 'req-1', 'invalid_audience']],
  )
  t.assert.equal(JSON.stringify(lines).includes(token), false)
})
