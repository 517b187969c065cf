import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { JwksAuthError } from '../../../lib/errors.ts'
import type { RemoteJwksOptions } from '../../../lib/jwks/remote-jwks.ts'
import { curveKey, pemOf } from '../../helpers/jwk.ts'
import { ScriptedIssuer } from '../../helpers/scripted-issuer.ts'

const [refreshInterval, maxStale] = [300_000, 3_600_000]
const [one, two] = [curveKey('Ed25519', { kid: 'one' }), curveKey('Ed25519', { kid: 'two' })]
const unavailable = 'jwks_unavailable'

/** An issuer whose key is known and that has failed since. */
async function failing(options: Partial<RemoteJwksOptions> = {}): Promise<ScriptedIssuer> {
  const issuer = new ScriptedIssuer([one], options)
  await issuer.ask('one')
  issuer.failure = 'ECONNREFUSED'
  issuer.newFetches()
  return issuer
}

/** The last time at which a key is found, with a request in each step. */
async function lastFound(issuer: ScriptedIssuer, until: number, step: number): Promise<number> {
  let found = -1
  for (let time = issuer.time; time <= until; time += step) {
    if ((await issuer.askAt(time, 'one')) === pemOf(one)) found = time
  }
  return found
}

suite('an issuer that does not answer', () => {
  test('with no key known a request is refused with 503 and a time to come back', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    await assert.rejects(
      async () => issuer.remote.find('one', 'EdDSA'),
      (error) => error instanceof JwksAuthError && error.statusCode === 503 && error.retryAfter === 1,
    )
  })

  test('the time to come back is that of the next retry', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    for (let time = 0; time < 60_000; time += 100) await issuer.askAt(time, 'one')
    const nextRetry = issuer.fetches.at(-1)!.at + 5_000
    await assert.rejects(
      async () => issuer.remote.find('one', 'EdDSA'),
      ({ retryAfter }: JwksAuthError) => retryAfter! >= Math.max(1, (nextRetry - issuer.time) / 1000),
    )
  })

  test('known keys work without waiting until maxStale after the last good answer', async () => {
    const issuer = await failing()
    for (let time = 0; time < maxStale; time += 1_000) {
      issuer.time = time
      assert.equal(issuer.knows('one'), true, `at ${time}`)
      await setImmediate()
    }
    assert.equal(await issuer.askAt(maxStale - 1, 'one'), pemOf(one))
    assert.equal(await issuer.askAt(maxStale, 'one'), unavailable)
    assert.equal(await issuer.askAt(maxStale * 10, 'one'), unavailable)
  })

  test('known keys work for a request that waited, however slow the server is', async () => {
    let time = 0
    const issuer = new ScriptedIssuer([one], { refreshInterval: 20, now: () => (time += 25) })
    assert.equal(await issuer.ask('one'), pemOf(one))
    issuer.failure = 'ECONNREFUSED'
    assert.equal(await issuer.ask('one'), pemOf(one))
  })

  test('unknown kids are unavailable, not refused', async () => {
    const issuer = await failing()
    assert.equal(await issuer.ask('two'), unavailable)
    assert.equal(await issuer.askAt(1_000, 'one'), pemOf(one))
    assert.equal(await issuer.askAt(1_000, 'two'), unavailable)
  })

  test('one thousand requests are few fetches, ever further apart', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    for (let time = 0; time < 10_000; time += 10) assert.equal(await issuer.askAt(time, 'one'), unavailable)
    assert.ok(issuer.fetches.length >= 6 && issuer.fetches.length <= 8, `${issuer.fetches.length} fetches`)
  })

  test('requests for known keys and for unknown ones share the fetches', async () => {
    const issuer = await failing()
    issuer.time = refreshInterval * 0.75
    for (let index = 0; index < 1_000; index += 1)
      await issuer.askAt(issuer.time + 10, index % 2 ? 'one' : 'two')
    assert.ok(issuer.newFetches() <= 8)
  })

  test('in a long outage it is asked every five to ten seconds', async () => {
    const issuer = await failing()
    issuer.time = refreshInterval
    await lastFound(issuer, refreshInterval + 60_000, 100)
    issuer.newFetches()
    await lastFound(issuer, refreshInterval + 360_000, 100)
    const fetches = issuer.newFetches()
    assert.ok(fetches >= 30 && fetches <= 60, `${fetches} fetches in five minutes`)
  })

  test('a recovery is seen at the next retry', async () => {
    const issuer = await failing()
    await lastFound(issuer, refreshInterval * 3, 1_000)
    issuer.failure = undefined
    issuer.keys = [two]
    const found = await lastFound(issuer, issuer.time + 20_000, 100)
    assert.ok(found - refreshInterval * 3 <= 11_000, `seen after ${found - refreshInterval * 3}`)
    assert.equal(await issuer.ask('two'), pemOf(two))
  })

  test('a recovery with no key known works at the next retry', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    await lastFound(issuer, 60_000, 100)
    issuer.failure = undefined
    assert.equal(await issuer.askAt(issuer.fetches.at(-1)!.at + 10_000, 'one'), pemOf(one))
  })

  test('a set in which no key is usable is an outage', async () => {
    const issuer = await failing()
    issuer.failure = undefined
    issuer.keys = []
    assert.equal(await issuer.askAt(refreshInterval, 'one'), pemOf(one))
    assert.equal(issuer.log[0]!.reason, 'a JWK Set without a usable key')
  })
})

suite('idleness in an outage', () => {
  test('the issuer is asked again before old keys are believed', async () => {
    const issuer = await failing()
    assert.equal(await issuer.askAt(refreshInterval, 'one'), pemOf(one))
    assert.equal(issuer.newFetches(), 1)
    issuer.time = refreshInterval * 2
    assert.equal(issuer.knows('one'), false)
    assert.equal(await issuer.ask('one'), pemOf(one))
    assert.equal(issuer.newFetches(), 1)
  })

  for (const [name, options, idle] of [
    ['fifteen seconds, by which a retry would have ended', {}, 15_000],
    ['as long as a retry may take', { timeout: 60_000 }, 70_000],
    ['a refresh interval that is shorter', { refreshInterval: 8_000 }, 8_000],
  ] as const) {
    test(`it is asked again after ${name}`, async () => {
      const issuer = await failing(options)
      assert.equal(await issuer.askAt(refreshInterval, 'one'), pemOf(one))
      issuer.time += idle - 1
      assert.equal(issuer.knows('one'), true)
      await setImmediate()
      issuer.time += idle
      assert.equal(issuer.knows('one'), false)
      await setImmediate()
    })
  }

  test('a key that was removed in the meantime is refused at once', async () => {
    const issuer = await failing()
    await issuer.askAt(refreshInterval, 'one')
    issuer.failure = undefined
    issuer.keys = [two]
    assert.equal(await issuer.askAt(refreshInterval * 2, 'one'), 'none')
  })

  test('one failure does not stand for an outage that lasts', async () => {
    const issuer = await failing()
    assert.equal(await issuer.askAt(refreshInterval - 1_000, 'one'), pemOf(one))
    issuer.failure = undefined
    issuer.keys = [two]
    assert.equal(await issuer.askAt(refreshInterval + 15_000, 'one'), 'none')
  })

  test('all who wait for the issuer get the old key', async () => {
    const issuer = await failing()
    issuer.time = refreshInterval
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => issuer.ask('one')))
    assert.deepEqual(new Set(verdicts), new Set([pemOf(one)]))
    assert.equal(issuer.newFetches(), 1)
  })
})

suite('how long keys may be stale', () => {
  test('maxStale 0 lets them work for as long as they are fresh', async () => {
    const issuer = await failing({ maxStale: 0 })
    assert.equal(await lastFound(issuer, refreshInterval * 2, 1_000), refreshInterval - 1_000)
    assert.equal(await issuer.ask('one'), unavailable)
  })

  test('a maxStale under the refresh interval bounds them', async () => {
    const issuer = await failing({ maxStale: 60_000 })
    assert.equal(await lastFound(issuer, refreshInterval * 2, 1_000), 59_000)
    assert.equal(await issuer.ask('one'), unavailable)
  })
})

suite('log lines', () => {
  const name = 'https://id.example.com/'
  const began = {
    level: 'warn',
    message: "the issuer's keys can't be fetched",
    issuer: name,
    reason: 'ECONNREFUSED',
  }
  const ended = { level: 'info', message: 'the issuer answers again', issuer: name }

  test('an outage is one line at its beginning and one at its end', async () => {
    const issuer = await failing()
    await lastFound(issuer, refreshInterval * 2, 1_000)
    assert.deepEqual(issuer.log, [began])
    issuer.failure = undefined
    await lastFound(issuer, refreshInterval * 4, 1_000)
    assert.deepEqual(issuer.log, [began, ended])
    issuer.failure = 'timeout'
    await lastFound(issuer, refreshInterval * 5, 1_000)
    assert.deepEqual(issuer.log, [began, ended, { ...began, reason: 'timeout' }])
  })

  test('an issuer that answers from the start is no line', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    assert.deepEqual(issuer.log, [])
  })
})

suite('how a fetch ends', () => {
  test('it is aborted when its time is up', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const issuer = new ScriptedIssuer([one], { timeout: 4_000 })
    issuer.held = true
    const verdict = issuer.ask('one')
    t.mock.timers.tick(3_999)
    assert.equal(issuer.fetches[0]!.signal.aborted, false)
    t.mock.timers.tick(1)
    assert.equal(issuer.fetches[0]!.signal.aborted, true)
    assert.equal(await verdict, unavailable)
    assert.equal(issuer.log[0]!.reason, 'timeout')
  })

  for (const [name, failure] of [
    ['answered', undefined],
    ['failed', 'HTTP 500'],
  ] as const) {
    test(`no timer is left of one that was ${name}`, async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const issuer = new ScriptedIssuer([one])
      issuer.failure = failure
      await issuer.ask('one')
      t.mock.timers.tick(60_000)
      assert.equal(issuer.fetches[0]!.signal.aborted, false)
    })
  }

  test('closing aborts it, and is no outage', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.held = true
    const verdict = issuer.ask('one')
    issuer.remote.close()
    assert.equal(issuer.fetches[0]!.signal.aborted, true)
    assert.equal(await verdict, unavailable)
    assert.deepEqual(issuer.log, [])
  })

  test('no fetch follows a closing', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.remote.close()
    assert.equal(await issuer.ask('one'), pemOf(one))
    for (const time of [0, refreshInterval * 0.75, refreshInterval, maxStale]) {
      assert.equal(await issuer.askAt(time, 'two'), unavailable)
    }
    assert.equal(await issuer.ask('one'), unavailable)
    await assert.rejects(issuer.remote.prefetch())
    assert.equal(issuer.fetches.length, 1)
  })

  test('closing before any fetch is allowed', () => {
    new ScriptedIssuer([one]).remote.close()
  })
})
