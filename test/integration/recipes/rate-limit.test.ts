import { test } from 'node:test'
import { build } from '../../../docs/examples/rate-limit.ts'
import { call } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

test('each user has a rate limit of their own, and strangers spend nobody’s', async (t) => {
  const { issuer, app } = await setUp(t, (options) => build(options, 2))
  const status = async (sub: string): Promise<number> =>
    (await call(app, await issuer.token({ claims: { sub } }), '/me')).statusCode
  for (let stranger = 0; stranger < 5; stranger++) {
    t.assert.equal((await call(app, 'forged', '/me')).statusCode, 401)
  }
  t.assert.deepEqual([await status('a'), await status('a'), await status('a')], [200, 200, 429])
  t.assert.deepEqual([await status('b'), await status('b'), await status('b')], [200, 200, 429])
  t.assert.equal((await app.inject('/public')).statusCode, 200)
})
