import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import type { JwksAuthOptions } from '../../../lib/index.ts'
import { build } from '../../../docs/examples/routes.ts'
import { call, createApp } from '../../helpers/app.ts'
import { Reroute } from '../../helpers/dispatcher.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'
import { compileProgram } from '../types/program.ts'
import { setUp } from '../../helpers/recipe.ts'

test('a route that demands a scope takes a token that has it, and no other', async (t) => {
  const { issuer, app } = await setUp(t, build)
  const permitted = await call(app, await issuer.token({ claims: { scope: 'read:ping' } }), '/ping/all')
  t.assert.equal(permitted.body, 'all of them')
  t.assert.equal((await call(app, await issuer.token(), '/ping/all')).statusCode, 403)
})

// What an application augments holds for all of a program, so this one is compiled by itself.
const users = new URL('../../../docs/examples/users.ts', import.meta.url)

test('the types of the claims and of the user are the application’s own', (t: TestContext) => {
  t.assert.equal(compileProgram(readFileSync(users, 'utf8')), '')
})

test('each of several issuers has its tokens accepted, and the user is what formatUser makes', async (t) => {
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
