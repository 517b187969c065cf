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

/** An issuer whose key is cached and whose fetches fail from then on. */
async function failing(options: Partial<RemoteJwksOptions> = {}): Promise<ScriptedIssuer> {
  const issuer = new ScriptedIssuer([one], options)
  await issuer.ask('one')
  issuer.failure = 'ECONNREFUSED'
  issuer.newFetches()
  return issuer
}

/** Sends a request in each step and returns the last time at which the key was found. */
async function lastFound(issuer: ScriptedIssuer, until: number, step: number): Promise<number> {
  let found = -1
  for (let time = issuer.time; time <= until; time += step) {
    if ((await issuer.askAt(time, 'one')) === pemOf(one)) found = time
  }
  return found
}

suite('an issuer that does not answer', () => {
  test('an answer that comes after the timeout is not used', async () => {
    let answer: (document: unknown) => void = () => {}
    const ignoresTheSignal = (): Promise<unknown> => new Promise((resolve) => (answer = resolve))
    const issuer = new ScriptedIssuer([], { fetchJwks: ignoresTheSignal, timeout: 20 })
    assert.equal(await issuer.ask('one'), unavailable)
    answer({ keys: [one] })
    await setImmediate()
    await setImmediate()
    assert.deepEqual(issuer.remote.status().kids, [])
  })

  test('a request is refused with 503 and a Retry-After if no key is known', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    await assert.rejects(
      async () => issuer.remote.find('one', 'EdDSA'),
      (error) => error instanceof JwksAuthError && error.statusCode === 503 && error.retryAfter === 1,
    )
  })

  test('Retry-After is not before the next retry', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    for (let time = 0; time < 60_000; time += 100) await issuer.askAt(time, 'one')
    const nextRetry = issuer.fetches.at(-1)!.at + 5_000
    await assert.rejects(
      async () => issuer.remote.find('one', 'EdDSA'),
      ({ retryAfter }: JwksAuthError) => retryAfter! >= Math.max(1, (nextRetry - issuer.time) / 1000),
    )
  })

  test('known keys work without waiting until maxStale after the last successful fetch', async () => {
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

  test('known keys work for a request that waited, even on a slow server', async () => {
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

  test('one thousand requests in an outage cause six to eight fetches', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    for (let time = 0; time < 10_000; time += 10) assert.equal(await issuer.askAt(time, 'one'), unavailable)
    assert.ok(issuer.fetches.length >= 6 && issuer.fetches.length <= 8, `${issuer.fetches.length} fetches`)
  })

  test('requests for known kids and for unknown kids share the fetches of an outage', async () => {
    const issuer = await failing()
    issuer.time = refreshInterval * 0.75
    for (let index = 0; index < 1_000; index += 1)
      await issuer.askAt(issuer.time + 10, index % 2 ? 'one' : 'two')
    assert.ok(issuer.newFetches() <= 8)
  })

  test('a long outage has a fetch every five to ten seconds', async () => {
    const issuer = await failing()
    issuer.time = refreshInterval
    await lastFound(issuer, refreshInterval + 60_000, 100)
    issuer.newFetches()
    await lastFound(issuer, refreshInterval + 360_000, 100)
    const fetches = issuer.newFetches()
    assert.ok(fetches >= 30 && fetches <= 60, `${fetches} fetches in five minutes`)
  })

  test('new keys work at the next retry after an outage', async () => {
    const issuer = await failing()
    await lastFound(issuer, refreshInterval * 3, 1_000)
    issuer.failure = undefined
    issuer.keys = [two]
    const found = await lastFound(issuer, issuer.time + 20_000, 100)
    assert.ok(found - refreshInterval * 3 <= 11_000, `seen after ${found - refreshInterval * 3}`)
    assert.equal(await issuer.ask('two'), pemOf(two))
  })

  test('keys work at the next retry after an outage that began without keys', async () => {
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

suite('idle time in an outage', () => {
  test('a request after idle time waits for a fetch before it uses old keys', async () => {
    const issuer = await failing()
    assert.equal(await issuer.askAt(refreshInterval, 'one'), pemOf(one))
    assert.equal(issuer.newFetches(), 1)
    issuer.time = refreshInterval * 2
    assert.equal(issuer.knows('one'), false)
    assert.equal(await issuer.ask('one'), pemOf(one))
    assert.equal(issuer.newFetches(), 1)
  })

  for (const [name, options, idle] of [
    ['fifteen idle seconds', {}, 15_000],
    ['seventy idle seconds with a timeout of sixty seconds', { timeout: 60_000 }, 70_000],
    ['an idle refresh interval of eight seconds', { refreshInterval: 8_000 }, 8_000],
  ] as const) {
    test(`a request in an outage waits for a fetch after ${name}`, async () => {
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

  test('a key that was removed during idle time is refused at once', async () => {
    const issuer = await failing()
    await issuer.askAt(refreshInterval, 'one')
    issuer.failure = undefined
    issuer.keys = [two]
    assert.equal(await issuer.askAt(refreshInterval * 2, 'one'), 'none')
  })

  test('one failed fetch does not make later requests use old keys without a fetch', async () => {
    const issuer = await failing()
    assert.equal(await issuer.askAt(refreshInterval - 1_000, 'one'), pemOf(one))
    issuer.failure = undefined
    issuer.keys = [two]
    assert.equal(await issuer.askAt(refreshInterval + 15_000, 'one'), 'none')
  })

  test('all requests that wait for a failing fetch get the old key', async () => {
    const issuer = await failing()
    issuer.time = refreshInterval
    const results = await Promise.all(Array.from({ length: 100 }, () => issuer.ask('one')))
    assert.deepEqual(new Set(results), new Set([pemOf(one)]))
    assert.equal(issuer.newFetches(), 1)
  })
})

suite('how long keys may be stale', () => {
  test('keys work until they expire if maxStale is 0', async () => {
    const issuer = await failing({ maxStale: 0 })
    assert.equal(await lastFound(issuer, refreshInterval * 2, 1_000), refreshInterval - 1_000)
    assert.equal(await issuer.ask('one'), unavailable)
  })

  test('keys work until maxStale if it is under the refresh interval', async () => {
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
    attempts: [],
  }
  const ended = { level: 'info', message: 'the issuer answers again', issuer: name }

  test('an outage is logged once at its start and once at its end', async () => {
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

  test('nothing is logged for an issuer without an outage', async () => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    assert.deepEqual(issuer.log, [])
  })
})

suite('how a fetch ends', () => {
  test('a fetch is aborted at its timeout', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const issuer = new ScriptedIssuer([one], { timeout: 4_000 })
    issuer.held = true
    const result = issuer.ask('one')
    t.mock.timers.tick(3_999)
    assert.equal(issuer.fetches[0]!.signal.aborted, false)
    t.mock.timers.tick(1)
    assert.equal(issuer.fetches[0]!.signal.aborted, true)
    assert.equal(await result, unavailable)
    assert.equal(issuer.log[0]!.reason, 'timeout')
  })

  for (const [name, failure] of [
    ['succeeded', undefined],
    ['failed', 'HTTP 500'],
  ] as const) {
    test(`no timer is left of a fetch that ${name}`, async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const issuer = new ScriptedIssuer([one])
      issuer.failure = failure
      await issuer.ask('one')
      t.mock.timers.tick(60_000)
      assert.equal(issuer.fetches[0]!.signal.aborted, false)
    })
  }

  test('closing aborts a fetch and does not count as an outage', async () => {
    const issuer = new ScriptedIssuer([one])
    issuer.held = true
    const result = issuer.ask('one')
    issuer.remote.close()
    assert.equal(issuer.fetches[0]!.signal.aborted, true)
    assert.equal(await result, unavailable)
    assert.deepEqual(issuer.log, [])
  })

  test('no fetch starts after closing', async () => {
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
