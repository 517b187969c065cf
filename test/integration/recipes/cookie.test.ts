import { test } from 'node:test'
import { build } from '../../../docs/examples/cookie.ts'
import { call, verdict } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

test('a token is taken from a cookie, and then from nowhere else', async (t) => {
  const { issuer, app } = await setUp(t, build)
  const token = await issuer.token()
  const accepted = await app.inject({ url: '/me', cookies: { access_token: token } })
  t.assert.equal(accepted.body, 'someone')
  const forged = await app.inject({ url: '/me', cookies: { access_token: `${token}x` } })
  t.assert.equal(forged.statusCode, 401)
  t.assert.equal(verdict(await app.inject('/me')).code, 'authorization_header_missing')
  t.assert.equal(verdict(await call(app, token, '/me')).code, 'authorization_header_missing')
})
