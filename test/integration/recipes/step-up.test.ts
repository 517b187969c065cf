import { suite, test } from 'node:test'
import { stepUp } from '../../../docs/examples/step-up-client.ts'
import { build } from '../../../docs/examples/step-up.ts'
import { now } from '../../helpers/issuer.ts'
import { setUp } from '../../helpers/recipe.ts'

const authorizationUrl = new URL('https://login.example.com/authorize?client_id=bank&scope=transfers')
const steppingUp = `${authorizationUrl.href}&acr_values=urn%3Aacme%3Amfa&max_age=300`

suite('a transfer wants more than an account does', () => {
  for (const [title, claims, account, transfer, sentTo] of [
    ['a password', { scope: 'transfers' }, 200, 401, steppingUp],
    [
      'two factors this morning',
      { scope: 'transfers', acr: 'urn:acme:mfa', auth_time: now() - 3_600 },
      200,
      401,
      steppingUp,
    ],
    [
      'two factors just now',
      { scope: 'transfers', acr: 'urn:acme:mfa', auth_time: now() - 3 },
      200,
      200,
      undefined,
    ],
    [
      'two factors just now, without the scope',
      { acr: 'urn:acme:mfa', auth_time: now() - 3 },
      200,
      403,
      undefined,
    ],
  ] as const) {
    test(`${title}: the account is answered ${account}, the transfer ${transfer}`, async (t) => {
      const { issuer, app } = await setUp(t, build)
      const origin = await app.listen()
      const headers = { authorization: `Bearer ${await issuer.token({ claims })}` }
      t.assert.equal((await fetch(`${origin}/account`, { headers })).status, account)
      const response = await fetch(`${origin}/transfers`, { method: 'POST', headers })
      t.assert.equal(response.status, transfer)
      t.assert.equal(stepUp(response, authorizationUrl)?.href, sentTo)
    })
  }
})
