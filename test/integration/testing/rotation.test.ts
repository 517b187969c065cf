import { suite, test } from 'node:test'
import { createTestIssuer, type TestIssuer } from '../../../lib/testing/index.ts'
import { call, createApp } from '../../helpers/app.ts'
import { until } from '../../helpers/issuer.ts'

suite('keys of a test issuer', () => {
  async function start(): Promise<
    { issuer: TestIssuer; statusOf: (token: string) => Promise<number> } & AsyncDisposable
  > {
    const issuer = await createTestIssuer()
    const app = await createApp({ ...issuer.options, jwks: { cooldown: 0, refreshInterval: 1 } })
    return {
      issuer,
      statusOf: async (token) => (await call(app, token)).statusCode,
      async [Symbol.asyncDispose]() {
        await app.close()
        await issuer.close()
      },
    }
  }

  test('rotate creates a new signing key and keeps the old one published', async (t) => {
    await using started = await start()
    const { issuer, statusOf } = started
    const [old, token] = [issuer.key, issuer.token()]
    t.assert.equal(await statusOf(token), 200)
    t.assert.equal(issuer.rotate(), issuer.key)
    t.assert.notEqual(issuer.key.jwk.kid, old.jwk.kid)
    t.assert.deepEqual(issuer.keys, [old.jwk, issuer.key.jwk])
    t.assert.equal(await statusOf(issuer.token()), 200)
    t.assert.equal(await statusOf(token), 200)
    t.assert.equal(await statusOf(issuer.token({}, { key: old })), 200)
  })

  test('tokens of the old keys are refused after rotate with keepOld: false', async (t) => {
    await using started = await start()
    const { issuer, statusOf } = started
    const token = issuer.token()
    const other = issuer.token({}, { algorithm: 'ES384' })
    t.assert.deepEqual([await statusOf(token), await statusOf(other)], [200, 200])
    issuer.rotate({ keepOld: false, algorithm: 'EdDSA' })
    t.assert.equal(await statusOf(issuer.token()), 200)
    t.assert.deepEqual([await statusOf(token), await statusOf(other)], [401, 401])
    t.assert.equal(await statusOf(issuer.token({}, { algorithm: 'ES384' })), 200)
    t.assert.deepEqual(
      issuer.keys.map(({ alg }) => alg),
      ['EdDSA', 'ES384'],
    )
  })

  test('tokens of a removed key are refused', async (t) => {
    await using started = await start()
    const { issuer, statusOf } = started
    const old = issuer.key
    issuer.rotate()
    t.assert.equal(await statusOf(issuer.token({}, { key: old })), 200)
    issuer.remove(old.jwk.kid)
    await until(async () => (await statusOf(issuer.token({}, { key: old }))) === 401)
    t.assert.equal(await statusOf(issuer.token()), 200)
  })

  test('rotate and remove throw a TypeError for invalid arguments', async (t) => {
    await using issuer = await createTestIssuer()
    const rotate = (options: unknown) => () => issuer.rotate(options as object)
    t.assert.throws(rotate(null), { name: 'TypeError', message: /"rotate" must be a plain object/ })
    t.assert.throws(rotate({ keep: true }), { name: 'TypeError', message: /"rotate\.keep" is unknown/ })
    t.assert.throws(rotate({ keepOld: 1 }), {
      name: 'TypeError',
      message: /"rotate\.keepOld" must be true or false/,
    })
    t.assert.throws(rotate({ algorithm: 'HS256' }), {
      name: 'TypeError',
      message: /"rotate\.algorithm" must be one of RS256, .*, EdDSA, Ed25519$/,
    })
    t.assert.throws(() => issuer.remove('unknown'), {
      name: 'TypeError',
      message: /"remove\.kid" must be the kid of a published key/,
    })
    t.assert.equal(issuer.keys.length, 1)
  })
})
