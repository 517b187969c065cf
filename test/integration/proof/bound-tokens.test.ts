import { suite, test, type TestContext } from 'node:test'
import type { JwksAuthOptions } from '../../../lib/index.ts'
import { createApp, readAnswer } from '../../helpers/app.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

/** Tokens whose claim `cnf` binds them to something that an application does not check. */

const issuer = await LocalIssuer.start()
test.after(() => issuer.close())

const thumbprint = 'A'.repeat(43)
const jkt = { jkt: thumbprint }
const x5t = { 'x5t#S256': thumbprint }
const both = { ...jkt, ...x5t }

/** The status or code of three requests with one token: the token is cached at the second, and its header at the third. */
async function answersTo(
  t: TestContext,
  options: object,
  cnf: unknown,
  scheme = 'Bearer',
): Promise<unknown[]> {
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
  t.after(() => app.close())
  const token = await issuer.token({ claims: { cnf } })
  const answers: unknown[] = []
  for (let round = 0; round < 4; round += 1) {
    const headers = { authorization: `${scheme} ${token}` }
    const answer = readAnswer(await app.inject({ url: '/secured', headers }))
    answers.push(answer.status === 200 ? 200 : answer.code)
  }
  return [...new Set(answers)]
}

suite('a bound token', () => {
  const names = new Map<unknown, string>([
    [jkt, 'a DPoP key'],
    [x5t, 'a certificate'],
    [both, 'a DPoP key and a certificate'],
  ])
  const rows: [options: object, cnf: object, answer: string | number][] = [
    [{}, jkt, 'invalid_binding'],
    [{}, x5t, 'invalid_binding'],
    [{}, both, 'invalid_binding'],
    [{ dpop: 'unchecked' }, jkt, 200],
    [{ dpop: 'unchecked' }, x5t, 'invalid_binding'],
    [{ dpop: 'unchecked' }, both, 'invalid_binding'],
    [{ mtls: 'unchecked' }, jkt, 'invalid_binding'],
    [{ mtls: 'unchecked' }, x5t, 200],
    [{ mtls: 'unchecked' }, both, 'invalid_binding'],
    [{ dpop: 'unchecked', mtls: 'unchecked' }, both, 200],
  ]
  for (const [options, cnf, answer] of rows) {
    test(`with ${JSON.stringify(options)} the answer to a token bound to ${names.get(cnf)} is ${answer}, cached or not`, async (t) => {
      t.assert.deepEqual(await answersTo(t, options, cnf), [answer])
      t.assert.deepEqual(await answersTo(t, { ...options, cache: false }, cnf), [answer])
    })
  }

  test('other members of cnf are ignored', async (t) => {
    t.assert.deepEqual(await answersTo(t, {}, { kid: 'a', jwk: {} }), [200])
  })

  test('a bound token of getToken is refused', async (t) => {
    const getToken = (request: { headers: { authorization?: string } }): string =>
      request.headers.authorization!.replace('Bearer ', '')
    t.assert.deepEqual(await answersTo(t, { getToken }, jkt), ['invalid_binding'])
    t.assert.deepEqual(await answersTo(t, { getToken }, undefined), [200])
  })

  test('isRevoked is not asked about a bound token that is refused', async (t) => {
    const isRevoked = (): boolean => t.assert.fail('isRevoked was called') as never
    t.assert.deepEqual(await answersTo(t, { isRevoked }, jkt), ['invalid_binding'])
  })

  test('the claims are checked before the binding', async (t) => {
    t.assert.deepEqual(await answersTo(t, { claims: { role: 'admin' } }, jkt), ['invalid_claims'])
  })
})

test('with dpop unchecked the DPoP scheme is read, for bound and unbound tokens', async (t) => {
  t.assert.deepEqual(await answersTo(t, { dpop: 'unchecked' }, jkt, 'DPoP'), [200])
  t.assert.deepEqual(await answersTo(t, { dpop: 'unchecked' }, undefined, 'dpop'), [200])
})

for (const options of [{}, { mtls: 'unchecked' }]) {
  test(`with ${JSON.stringify(options)} the DPoP scheme is another scheme like any`, async (t) => {
    t.assert.deepEqual(await answersTo(t, options, jkt, 'DPoP'), ['invalid_header'])
  })
}
