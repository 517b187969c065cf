import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { curveKey, pemOf } from '../../helpers/jwk.ts'
import { ScriptedIssuer } from '../../helpers/scripted-issuer.ts'

const refreshInterval = 300_000
const [one, two] = [curveKey('Ed25519', { kid: 'one' }), curveKey('Ed25519', { kid: 'two' })]

suite('the first fetch', () => {
  test('no JWK Set is fetched before a request needs a key', () => {
    assert.equal(new ScriptedIssuer([one]).fetches.length, 0)
  })

  test('one hundred simultaneous first requests cause one fetch', async () => {
    const issuer = new ScriptedIssuer([one, two])
    issuer.held = true
    const results = Array.from({ length: 100 }, (_, index) => issuer.ask(index % 2 ? 'one' : 'two'))
    issuer.fetches[0]!.answer({ keys: [one, two] })
    assert.deepEqual(new Set(await Promise.all(results)), new Set([pemOf(one), pemOf(two)]))
    assert.equal(issuer.fetches.length, 1)
  })

  test('a failed first fetch refuses all waiting requests, and the next request starts another fetch', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.held = true
    const results = Array.from({ length: 100 }, () => issuer.ask('one'))
    issuer.fetches[0]!.fail('HTTP 502')
    assert.deepEqual(new Set(await Promise.all(results)), new Set(['jwks_unavailable']))
    assert.equal(issuer.fetches.length, 1)
    issuer.held = false
    assert.equal(await issuer.ask('one'), pemOf(one))
  })

  test('a first fetch without an answer ends with the timeout, and the next request starts another fetch', async () => {
    const issuer = new ScriptedIssuer([one], { timeout: 20, fetchJwks: async () => new Promise(() => {}) })
    for (let round = 0; round < 2; round += 1) assert.equal(await issuer.ask('one'), 'jwks_unavailable')
  })

  test('every key of the set is known after the first fetch', async () => {
    const issuer = new ScriptedIssuer([one, two])
    await issuer.ask('one')
    assert.deepEqual([issuer.knows('one'), issuer.knows('two')], [true, true])
    assert.equal(issuer.fetches.length, 1)
  })

  test('a known kid with another algorithm finds nothing and causes no fetch', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    assert.deepEqual(issuer.remote.find('one', 'RS256'), { keys: [], staleAge: undefined })
    assert.equal(issuer.fetches.length, 1)
  })
})

suite('freshness', () => {
  test('under traffic, keys are refreshed before they expire, and no request waits', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    await issuer.askAt(refreshInterval * 0.75 - 1, 'one')
    assert.equal(issuer.fetches.length, 1)
    issuer.time += 1
    issuer.held = true
    for (let index = 0; index < 100; index += 1) assert.equal(issuer.knows('one'), true)
    assert.equal(issuer.fetches.length, 2)
    issuer.fetches[1]!.answer({ keys: [two] })
    await setImmediate()
    assert.equal(await issuer.ask('two'), pemOf(two))
    assert.equal(await issuer.askAt(refreshInterval * 1.5 - 1, 'two'), pemOf(two))
    assert.equal(issuer.fetches.length, 2)
  })

  test('a request after idle time waits for a refresh', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.keys = [two]
    issuer.time = refreshInterval
    assert.equal(issuer.knows('one'), false)
    assert.equal(await issuer.ask('one'), 'none')
    assert.equal(await issuer.ask('two'), pemOf(two))
  })

  test('a request waits for a refresh that is still in flight when the keys expire', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.held = true
    issuer.time = refreshInterval - 1
    assert.equal(issuer.knows('one'), true)
    issuer.time = refreshInterval
    const result = issuer.ask('one')
    assert.equal(issuer.fetches.length, 2)
    issuer.fetches[1]!.answer({ keys: [two] })
    // This fetch started before the request, so the key may have been published since.
    await setImmediate()
    issuer.fetches[2]!.answer({ keys: [two] })
    assert.equal(await result, 'none')
  })

  test('the age of keys counts from the start of their fetch', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.held = true
    const result = issuer.ask('one')
    issuer.time = 4_000
    issuer.fetches[0]!.answer({ keys: [one] })
    await result
    issuer.held = false
    issuer.time = refreshInterval - 1
    assert.equal(issuer.knows('one'), true)
    issuer.time = refreshInterval
    assert.equal(issuer.knows('one'), false)
  })

  for (const step of [100, 7_000, 74_000, 299_000]) {
    test(`a removed key is refused within the refresh interval with a request every ${step} ms`, async () => {
      const issuer = new ScriptedIssuer([one, two])
      await issuer.askAt(0, 'one')
      issuer.keys = [two]
      let lastAccepted = 0
      for (let time = step; time < refreshInterval * 2; time += step) {
        if ((await issuer.askAt(time, 'one')) !== 'none') lastAccepted = time
      }
      assert.ok(lastAccepted < refreshInterval, `accepted at ${lastAccepted}`)
    })
  }

  test('a key that was replaced under the same kid is updated within the refresh interval', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.keys = [{ ...two, kid: 'one' }]
    assert.equal(await issuer.askAt(refreshInterval * 0.75, 'one'), pemOf(one))
    assert.equal(await issuer.askAt(refreshInterval * 0.75, 'one'), pemOf(two))
  })

  test('an unchanged key stays the same object after every refresh', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    const keyNow = (): unknown => (issuer.remote.find('one', 'EdDSA') as { keys: readonly unknown[] }).keys[0]
    const before = keyNow()
    for (let time = 0; time < refreshInterval * 10; time += 50_000) {
      await issuer.askAt(time, 'one')
      assert.equal(keyNow(), before)
    }
    assert.ok(issuer.fetches.length > 10)
  })

  test('keys are refreshed more often if maxStale is shorter than the refresh interval', async () => {
    const issuer = new ScriptedIssuer([one], { maxStale: 100_000 })
    await issuer.ask('one')
    await issuer.askAt(75_000, 'one')
    assert.equal(issuer.fetches.length, 2)
    issuer.time = 175_000
    assert.equal(issuer.knows('one'), false)
  })
})

suite('prefetch', () => {
  test('keys are known after a prefetch', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.remote.prefetch()
    assert.equal(issuer.knows('one'), true)
    assert.equal(issuer.fetches.length, 1)
  })

  test('a prefetch fetches nothing if keys are known', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    await issuer.remote.prefetch()
    assert.equal(issuer.fetches.length, 1)
  })

  test('a prefetch joins the fetch in flight', async () => {
    const issuer = new ScriptedIssuer([one])
    await Promise.all([issuer.ask('one'), issuer.remote.prefetch(), issuer.remote.prefetch()])
    assert.equal(issuer.fetches.length, 1)
  })

  test('a failed prefetch names the issuer and the reason, and a later prefetch may succeed', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    await assert.rejects(
      issuer.remote.prefetch(),
      new Error('fastify-jwks-auth: no keys of https://id.example.com/: ECONNREFUSED'),
    )
    issuer.failure = undefined
    await issuer.remote.prefetch()
    assert.equal(issuer.knows('one'), true)
  })

  test('a prefetch fetches keys again that are too old', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.remote.prefetch()
    issuer.time = refreshInterval
    await issuer.remote.prefetch()
    assert.equal(issuer.fetches.length, 2)
  })
})

suite('unusable keys', () => {
  const bad = { ...two, kid: 'bad', alg: 'ES256' }
  const kind = { kid: 'bad', kty: 'OKP', crv: 'Ed25519', alg: 'ES256' }
  const skipped = { ...kind, reason: 'its alg is not supported or does not fit its kty and crv' }
  const line = {
    level: 'warn',
    message: "1 of the issuer's keys are not used",
    issuer: 'https://id.example.com/',
    keys: [skipped],
  }

  test('nothing is logged if every key is usable', async () => {
    const issuer = new ScriptedIssuer([one, two])
    for (let time = 0; time < refreshInterval * 3; time += 50_000) await issuer.askAt(time, 'one')
    assert.deepEqual(issuer.log, [])
  })

  test('unusable keys are logged once, and again only when they change', async () => {
    const issuer = new ScriptedIssuer([one, bad])
    for (let time = 0; time < refreshInterval * 3; time += 50_000) await issuer.askAt(time, 'one')
    assert.ok(issuer.fetches.length > 2)
    assert.deepEqual(issuer.log, [line])
    issuer.keys = [one, { ...bad, d: 'AQ' }]
    await issuer.askAt(refreshInterval * 4, 'one')
    assert.deepEqual(issuer.log, [
      line,
      { ...line, keys: [{ ...kind, reason: 'it holds secret key material' }] },
    ])
  })

  const encryption = { ...two, kid: 'encryption', alg: 'RSA-OAEP', use: 'enc' }
  const encryptionKey = {
    ...{ kid: 'encryption', kty: 'OKP', crv: 'Ed25519', alg: 'RSA-OAEP', use: 'enc' },
    reason: 'it is for encryption',
  }
  const debug = {
    level: 'debug',
    message: "1 of the issuer's keys are for encryption or for another issuer and are not used",
    issuer: 'https://id.example.com/',
    keys: [encryptionKey],
  }

  test('a key for encryption causes no warning', async () => {
    const issuer = new ScriptedIssuer([one, encryption])
    for (let time = 0; time < refreshInterval * 3; time += 50_000) await issuer.askAt(time, 'one')
    assert.deepEqual(issuer.log, [debug])
  })

  for (const [name, key] of [
    ['a key for encryption without use', curveKey('X25519', { kid: 'encryption' })],
    ['a key for another issuer', { ...two, issuer: 'https://other.example.com/' }],
  ] as const) {
    test(`${name} causes no warning`, async () => {
      const issuer = new ScriptedIssuer([one, key])
      await issuer.ask('one')
      assert.deepEqual(
        issuer.log.map(({ level, message }) => [level, message]),
        [['debug', debug.message]],
      )
    })
  }

  test('a key for encryption is not counted in the warning about unusable keys', async () => {
    const issuer = new ScriptedIssuer([one, encryption, bad])
    await issuer.ask('one')
    assert.deepEqual(issuer.log, [line, debug])
  })

  test('the warning about a set without a usable key gives the reason for each key', async () => {
    const issuer = new ScriptedIssuer([encryption, bad])
    await issuer.ask('one')
    assert.deepEqual(issuer.log, [
      {
        level: 'warn',
        message: "the issuer's keys can't be fetched",
        issuer: 'https://id.example.com/',
        reason: 'a JWK Set without a usable key',
        attempts: [],
        keys: [encryptionKey, skipped],
      },
    ])
  })

  test('nothing is logged when the last unusable key is removed', async () => {
    const issuer = new ScriptedIssuer([one, bad])
    await issuer.ask('one')
    issuer.keys = [one]
    await issuer.askAt(refreshInterval, 'one')
    assert.deepEqual(issuer.log, [line])
  })

  test('the warning lists at most twenty unusable keys and counts all of them', async () => {
    const issuer = new ScriptedIssuer([one, ...Array<unknown>(5_000).fill(bad)])
    await issuer.ask('one')
    assert.deepEqual(issuer.log, [
      { ...line, message: "5000 of the issuer's keys are not used", keys: Array(20).fill(skipped) },
    ])
  })
})
