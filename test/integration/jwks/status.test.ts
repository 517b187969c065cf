import { suite, test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { KeyStatus } from '../../../lib/index.ts'
import { call, createApp } from '../../helpers/app.ts'
import { sendJson, LocalIssuer, until } from '../../helpers/issuer.ts'
import { curveKey } from '../../helpers/jwk.ts'
import { ScriptedIssuer } from '../../helpers/scripted-issuer.ts'

const interval = 300_000
const maxStale = 3_600_000
const [one, two] = [curveKey('Ed25519', { kid: 'one' }), curveKey('Ed25519', { kid: 'two' })]

function assertStatus(t: TestContext, issuer: ScriptedIssuer, status: Omit<KeyStatus, 'issuer'>): void {
  t.assert.deepEqual(issuer.remote.status(), { issuer: 'https://id.example.com/', ...status })
}

suite('the status of an issuer', () => {
  const nothing = { kids: [], age: undefined, reason: undefined }

  test('is idle before its keys are needed, and asking causes no fetch', (t) => {
    const issuer = new ScriptedIssuer([one])
    assertStatus(t, issuer, { state: 'idle', ...nothing })
    t.assert.equal(issuer.fetches.length, 0)
  })

  test('is fresh for as long as the refresh interval, then idle', async (t) => {
    const issuer = new ScriptedIssuer([one, two])
    await issuer.ask('one')
    const known = { kids: ['one', 'two'], reason: undefined }
    assertStatus(t, issuer, { state: 'fresh', age: 0, ...known })
    issuer.time = interval - 1
    assertStatus(t, issuer, { state: 'fresh', age: interval - 1, ...known })
    issuer.time = interval
    assertStatus(t, issuer, { state: 'idle', age: interval, ...known })
    t.assert.equal(issuer.fetches.length, 1)
  })

  test('is unavailable where there never was an answer', async (t) => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    await issuer.ask('one')
    assertStatus(t, issuer, { state: 'unavailable', ...nothing, reason: 'ECONNREFUSED' })
  })

  test('is fresh, stale and unavailable in the course of an outage, and fresh after it', async (t) => {
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.failure = 'timeout'
    const known = { kids: ['one'], reason: 'timeout' }
    await issuer.askAt(interval - 1, 'one')
    assertStatus(t, issuer, { state: 'fresh', age: interval - 1, ...known })
    await issuer.askAt(interval, 'one')
    assertStatus(t, issuer, { state: 'stale', age: interval, ...known })
    await issuer.askAt(maxStale - 1, 'one')
    assertStatus(t, issuer, { state: 'stale', age: maxStale - 1, ...known })
    issuer.time = maxStale
    assertStatus(t, issuer, { state: 'unavailable', age: maxStale, ...known })
    issuer.failure = undefined
    await issuer.askAt(maxStale + 10_000, 'one')
    assertStatus(t, issuer, { state: 'fresh', age: 0, kids: ['one'], reason: undefined })
  })

  test('begins the fetch that is due while the issuer is out, for a server without traffic', async (t: TestContext) => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    await issuer.ask('one')
    issuer.newFetches()
    for (let time = 0; time < 60_000; time += 100) {
      issuer.time = time
      issuer.remote.status()
      await setImmediate()
    }
    const asked = issuer.newFetches()
    t.assert.ok(asked >= 8 && asked <= 25, `${asked} fetches in a minute`)
    issuer.failure = undefined
    issuer.time += 10_000
    issuer.remote.status()
    await setImmediate()
    assertStatus(t, issuer, { state: 'fresh', age: 0, kids: ['one'], reason: undefined })
  })
})

suite('app.jwksStatus', () => {
  test('answers a readiness route, with an entry for each issuer that publishes keys', async (t) => {
    await using good = await LocalIssuer.start()
    await using bad = await LocalIssuer.start()
    const app = await createApp({
      issuers: [
        { issuer: good.issuer, audience: 'api' },
        { issuer: bad.issuer, audience: 'api' },
        { issuer: 'a legacy', audience: 'api', secret: 'a shared secret of enough bytes for HS256' },
      ],
    })
    t.after(() => app.close())
    app.get('/ready', async (_request, reply) => {
      const isReady = app.jwksStatus().every(({ state }) => state !== 'unavailable')
      return reply.code(isReady ? 200 : 503).send(app.jwksStatus().map(({ state }) => state))
    })
    const ready = async (): Promise<[number, unknown]> => {
      const response = await app.inject('/ready')
      return [response.statusCode, response.json()]
    }
    t.assert.deepEqual(await ready(), [200, ['idle', 'idle']])
    bad.on('/jwks', sendJson({}, 500))
    await call(app, await good.token())
    await call(app, await bad.token())
    t.assert.deepEqual(await ready(), [503, ['fresh', 'unavailable']])
    const [, { issuer, reason }] = app.jwksStatus() as [KeyStatus, KeyStatus]
    t.assert.deepEqual([issuer, reason], [bad.issuer, 'HTTP 500'])
    bad.handlers.clear()
    await until(async () => (await ready())[0] === 200)
    t.assert.deepEqual(await ready(), [200, ['fresh', 'fresh']])
  })
})
