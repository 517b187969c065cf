import { test } from 'node:test'
import { build, count } from '../../../docs/examples/watching.ts'
import { call } from '../../helpers/app.ts'
import { sendJson, until } from '../../helpers/issuer.ts'
import { setUp } from '../../helpers/recipe.ts'

test('a readiness route tells of an issuer that can not be reached, and of its return', async (t) => {
  const { issuer, app } = await setUp(t, build)
  const ready = async (): Promise<number> => (await app.inject('/ready')).statusCode
  t.assert.equal(await ready(), 200)
  issuer.on('/jwks', sendJson({}, 500))
  t.assert.equal((await call(app, await issuer.token(), '/me')).statusCode, 503)
  t.assert.equal(await ready(), 503)
  issuer.handlers.clear()
  await until(async () => (await ready()) === 200)
})

test('refusals are counted by code and issuer', async (t) => {
  const counted: unknown[] = []
  count({ add: (value, attributes) => counted.push([value, attributes]) })
  const { issuer, app } = await setUp(t, build)
  await call(app, await issuer.token({ claims: { exp: 1 } }), '/me')
  t.assert.deepEqual(counted, [[1, { code: 'token_expired', issuer: issuer.issuer }]])
})
