import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { VerificationKey } from '../../../lib/jwks/jwk.ts'
import type { RemoteJwksOptions } from '../../../lib/jwks/remote-jwks.ts'
import { curveKey, pemOf } from '../../helpers/jwk.ts'
import { ScriptedIssuer } from '../../helpers/scripted-issuer.ts'

const cooldown = 10_000
const old = curveKey('Ed25519', { kid: 'one' })
const replacement = curveKey('Ed25519', { kid: 'one' })
const { kid: _kid, ...unnamed } = replacement

/** An issuer whose key is known and was replaced. */
async function replaced(options: Partial<RemoteJwksOptions> = {}): Promise<ScriptedIssuer> {
  const issuer = new ScriptedIssuer([old], options)
  await issuer.ask('one')
  issuer.keys = [replacement]
  issuer.newFetches()
  return issuer
}

/** The known keys. */
function keysOf(issuer: ScriptedIssuer, [kid]: [string?] = ['one']): readonly VerificationKey[] {
  return (issuer.remote.find(kid, 'EdDSA') as { keys: readonly VerificationKey[] }).keys
}

/** Looks for a replacement of the known keys, as after a failed signature. Returns the PEM of each. */
async function replacementOf(issuer: ScriptedIssuer, kid: [string?] = ['one']): Promise<unknown[]> {
  const keys = await issuer.remote.findReplacement(kid[0], 'EdDSA', keysOf(issuer, kid))
  return keys.map(({ pem }) => pem)
}

suite('a key that was replaced under its kid', () => {
  test('a replaced key is found at once by one fetch', async () => {
    const issuer = await replaced()
    assert.deepEqual(await replacementOf(issuer), [pemOf(replacement)])
    assert.equal(issuer.newFetches(), 1)
  })

  test('a key that was added under a known kid is found, without the keys that were tried', async () => {
    const issuer = await replaced()
    issuer.keys = [old, replacement]
    assert.deepEqual(await replacementOf(issuer), [pemOf(replacement)])
  })

  test('a key for another algorithm that was added under a known kid is found', async () => {
    const issuer = await replaced()
    const key = curveKey('P-256', { kid: 'one' })
    issuer.keys = [old, key]
    const keys = await issuer.remote.findReplacement('one', 'ES256', [])
    assert.deepEqual(
      keys.map(({ pem }) => pem),
      [pemOf(key)],
    )
  })

  test('a replaced key without kid is found at once', async () => {
    const issuer = await replaced()
    issuer.keys = [unnamed]
    assert.deepEqual(await replacementOf(issuer, []), [pemOf(replacement)])
  })

  test('one thousand failed signatures cause one fetch in each cooldown, and no request waits in between', async () => {
    const issuer = await replaced()
    issuer.keys = [old]
    for (let round = 0; round < 3; round += 1) {
      issuer.time = round * cooldown
      await Promise.all(Array.from({ length: 500 }, () => replacementOf(issuer)))
      issuer.time += cooldown - 1
      for (let index = 0; index < 500; index += 1) {
        assert.deepEqual(issuer.remote.findReplacement('one', 'EdDSA', keysOf(issuer)), [])
      }
      assert.equal(issuer.newFetches(), 1)
    }
  })

  test('in a flood of failed signatures a replaced key works one cooldown later', async () => {
    const issuer = await replaced()
    issuer.keys = [old]
    await replacementOf(issuer)
    issuer.keys = [replacement]
    issuer.time = cooldown - 1
    assert.deepEqual(await replacementOf(issuer), [])
    issuer.time = cooldown
    assert.deepEqual(await replacementOf(issuer), [pemOf(replacement)])
  })

  test('failed signatures and unknown kids have budgets of their own', async () => {
    const issuer = await replaced()
    for (const kid of ['a', 'b', 'c']) assert.equal(await issuer.ask(kid), 'none')
    assert.equal(issuer.newFetches(), 2)
    issuer.keys = [old, replacement]
    await replacementOf(issuer)
    assert.equal(issuer.newFetches(), 1)
  })

  test('a failed signature waits for the fetch in flight, and causes another one if that brings no new key', async () => {
    const issuer = await replaced({ refreshInterval: 1_000 })
    issuer.held = true
    issuer.time = 800
    const tried = keysOf(issuer)
    const found = Promise.resolve(issuer.remote.findReplacement('one', 'EdDSA', tried))
    issuer.fetches[1]!.answer({ keys: [old] })
    await setImmediate()
    issuer.fetches[2]!.answer({ keys: [replacement] })
    assert.deepEqual(
      (await found).map(({ pem }) => pem),
      [pemOf(replacement)],
    )
  })

  test('a failed signature causes no other fetch if the fetch in flight brings a new key', async () => {
    const issuer = await replaced({ refreshInterval: 1_000 })
    issuer.time = 800
    assert.deepEqual(await replacementOf(issuer), [pemOf(replacement)])
    assert.equal(issuer.newFetches(), 1)
  })

  test('a failed signature causes no fetch and waits for none during an outage', async () => {
    const issuer = await replaced()
    issuer.failure = 'HTTP 502'
    assert.deepEqual(await replacementOf(issuer), [])
    assert.equal(issuer.newFetches(), 1)
    issuer.held = true
    issuer.time = cooldown
    assert.deepEqual(issuer.remote.findReplacement('one', 'EdDSA', keysOf(issuer)), [])
    issuer.time = 250_000
    const tried = keysOf(issuer)
    assert.equal(issuer.newFetches(), 1)
    assert.deepEqual(issuer.remote.findReplacement('one', 'EdDSA', tried), [])
  })

  test('a failed signature causes no other fetch if the fetch in flight fails', async () => {
    const issuer = await replaced({ refreshInterval: 1_000 })
    issuer.failure = 'HTTP 502'
    issuer.time = 800
    assert.deepEqual(await replacementOf(issuer), [])
    assert.equal(issuer.newFetches(), 1)
  })

  test('without a cooldown each failed signature may cause a fetch', async () => {
    const issuer = await replaced({ cooldown: 0 })
    issuer.keys = [old]
    for (let index = 0; index < 5; index += 1) await replacementOf(issuer)
    assert.equal(issuer.newFetches(), 5)
  })
})

suite('tokens without kid', () => {
  test('the first token without kid causes a fetch and finds the only key', async () => {
    const issuer = new ScriptedIssuer([unnamed])
    assert.equal(await issuer.ask(undefined), pemOf(replacement))
    assert.equal(issuer.newFetches(), 1)
  })

  test('tokens without kid that find no single key cause one fetch in each cooldown together', async () => {
    const issuer = new ScriptedIssuer([old, unnamed])
    await issuer.ask('one')
    issuer.newFetches()
    for (const alg of ['EdDSA', 'ES256', 'RS256'] as const) {
      for (let index = 0; index < 100; index += 1) assert.equal(await issuer.ask(undefined, alg), 'none')
    }
    assert.equal(issuer.newFetches(), 1)
    issuer.keys = [unnamed]
    assert.equal(await issuer.ask('another'), 'none')
    assert.equal(await issuer.ask(undefined), pemOf(unnamed))
  })

  test('a token without kid is unavailable in an outage if no single key is known', async () => {
    const issuer = new ScriptedIssuer([old, unnamed])
    issuer.failure = 'HTTP 502'
    assert.equal(await issuer.ask(undefined), 'jwks_unavailable')
  })

  test('a kid that is no string finds no key and causes no fetch', async () => {
    const issuer = new ScriptedIssuer([unnamed])
    for (const kid of [null, 1, true, ['one'], {}]) assert.equal(await issuer.ask(kid), 'none')
    assert.equal(issuer.newFetches(), 0)
  })
})
