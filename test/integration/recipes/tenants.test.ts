import { test } from 'node:test'
import { build, type Tenants } from '../../../docs/examples/tenants.ts'
import { call, verdict } from '../../helpers/app.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

test('tenants who have signed up are let in, each by their own issuer, and nobody else', async (t) => {
  await using one = await LocalIssuer.start({ path: '/one/' })
  await using two = await LocalIssuer.start({ path: '/two/' })
  await using stranger = await LocalIssuer.start()
  const signedUp = new Map([one, two].map(({ issuer, path }) => [issuer, { id: path, issuer }]))
  const tenants: Tenants = { findByIssuer: async (issuer) => signedUp.get(issuer) }
  const app = await build(tenants, 'api')
  t.after(() => app.close())
  for (const issuer of [one, two]) {
    const response = await call(app, await issuer.token(), '/me')
    t.assert.deepEqual(response.json(), { tenant: issuer.path, user: 'someone' })
  }
  t.assert.equal(verdict(await call(app, await stranger.token(), '/me')).code, 'invalid_claims')
  const forged = await one.token({ key: two.key })
  t.assert.equal(verdict(await call(app, forged, '/me')).code, 'invalid_header')
  t.assert.deepEqual(stranger.requests, [])
})
