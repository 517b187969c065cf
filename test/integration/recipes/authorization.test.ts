import { suite, test } from 'node:test'
import { build as buildRoutes } from '../../../docs/examples/routes.ts'
import { stepUp } from '../../../docs/examples/step-up-client.ts'
import { build as buildStepUp } from '../../../docs/examples/step-up.ts'
import { build as buildTenants, type Tenants } from '../../../docs/examples/tenants.ts'
import type { JwksAuthOptions } from '../../../lib/index.ts'
import { call, createApp, readAnswer } from '../../helpers/app.ts'
import { Reroute } from '../../helpers/dispatcher.ts'
import { LocalIssuer, now } from '../../helpers/issuer.ts'
import { setUp } from '../../helpers/recipe.ts'

/** The recipes and examples of README.md about scopes, step-up authentication and several issuers. */

test('the route of the README that requires a scope accepts only tokens with the scope', async (t) => {
  const { issuer, app } = await setUp(t, buildRoutes)
  const permitted = await call(app, await issuer.token({ claims: { scope: 'read:ping' } }), '/ping/all')
  t.assert.equal(permitted.body, 'all of them')
  t.assert.equal((await call(app, await issuer.token(), '/ping/all')).statusCode, 403)
})

test('the options of the README accept tokens of both issuers and return the user of formatUser', async (t) => {
  // Its types apply to a whole program, so it can't be imported by name: test/system/types compiles it.
  const users = new URL('../../../docs/examples/users.ts', import.meta.url)
  const { options } = (await import(users.href)) as { options: JwksAuthOptions }
  const server = await LocalIssuer.start()
  const name = 'https://login.example.com/realms/acme'
  const keys = { keys: server.keys }
  server.on('/realms/acme/.well-known/openid-configuration', { issuer: name, jwks_uri: `${name}/jwks` })
  server.on('/realms/acme/jwks', keys)
  server.on('/.well-known/jwks.json', keys)
  const app = await createApp({ ...options, jwks: { dispatcher: new Reroute(server.origin) } })
  t.after(() => Promise.all([app.close(), server.close()]))
  for (const iss of ['https://tenant.eu.auth0.com/', name]) {
    const claims = { iss, aud: 'https://api.example.com', permissions: ['write'] }
    const response = await call(app, await server.token({ claims }))
    t.assert.deepEqual(response.json(), { user: { id: `${iss} someone`, mayWrite: true } })
  }
})

suite('a transfer that requires stronger authentication than an account', () => {
  const authorizationUrl = new URL('https://login.example.com/authorize?client_id=bank&scope=transfers')
  const steppingUp = `${authorizationUrl.href}&acr_values=urn%3Aacme%3Amfa&max_age=300`
  const mfa = { acr: 'urn:acme:mfa', scope: 'transfers' }
  for (const [title, claims, status, sentTo] of [
    ['a password', { scope: 'transfers' }, 401, steppingUp],
    ['two factors an hour ago', { ...mfa, auth_time: now() - 3_600 }, 401, steppingUp],
    ['two factors just now', { ...mfa, auth_time: now() - 3 }, 200, undefined],
    ['two factors but no scope', { ...mfa, scope: undefined, auth_time: now() - 3 }, 403, undefined],
  ] as const) {
    test(`with ${title} the account is answered 200 and the transfer ${status}`, async (t) => {
      const { issuer, app } = await setUp(t, buildStepUp)
      const origin = await app.listen()
      const headers = { authorization: `Bearer ${await issuer.token({ claims })}` }
      t.assert.equal((await fetch(`${origin}/account`, { headers })).status, 200)
      const response = await fetch(`${origin}/transfers`, { method: 'POST', headers })
      t.assert.equal(response.status, status)
      t.assert.equal(stepUp(response, authorizationUrl)?.href, sentTo)
    })
  }
})

test('tenants that have signed up are accepted, each with the keys of its own issuer, and no others', async (t) => {
  await using one = await LocalIssuer.start({ path: '/one/' })
  await using two = await LocalIssuer.start({ path: '/two/' })
  await using unknown = await LocalIssuer.start()
  const signedUp = new Map([one, two].map(({ issuer, path }) => [issuer, { id: path, issuer }]))
  const tenants: Tenants = { findByIssuer: async (issuer) => signedUp.get(issuer) }
  const app = await buildTenants(tenants, 'api')
  t.after(() => app.close())
  for (const issuer of [one, two]) {
    const response = await call(app, await issuer.token(), '/me')
    t.assert.deepEqual(response.json(), { tenant: issuer.path, user: 'someone' })
  }
  t.assert.equal(readAnswer(await call(app, await unknown.token(), '/me')).code, 'invalid_claims')
  const forged = await one.token({ key: two.key })
  t.assert.equal(readAnswer(await call(app, forged, '/me')).code, 'invalid_header')
  t.assert.deepEqual(unknown.requests, [])
})
