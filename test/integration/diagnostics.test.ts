import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { suite, test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { diagnostics, type JwksAuthOptions, type KeyStatus } from '../../lib/index.ts'
import { call, createApp } from '../helpers/app.ts'
import { eventsOf } from '../helpers/events.ts'
import { createKeyPair, sendJson, LocalIssuer, unsignedToken, until } from '../helpers/issuer.ts'
import { curveKey, rsaKey } from '../helpers/jwk.ts'
import { ScriptedIssuer } from '../helpers/scripted-issuer.ts'

/** What an application can observe: the diagnostics channels and app.jwksStatus. */

async function start(
  t: TestContext,
  options: Partial<JwksAuthOptions> = {},
): Promise<{ issuer: LocalIssuer; app: FastifyInstance }> {
  const issuer = await LocalIssuer.start()
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  return { issuer, app }
}

const scripted = 'https://id.example.com/'
const [one, two] = [curveKey('Ed25519', { kid: 'one' }), curveKey('Ed25519', { kid: 'two' })]
const interval = 300_000

suite('events of keys', () => {
  test('a good answer is published with its kids and its duration', async (t) => {
    const events = eventsOf(t, diagnostics.keysFetched)
    const issuer = new ScriptedIssuer([one, two])
    issuer.held = true
    const verdict = issuer.ask('one')
    issuer.time = 70
    issuer.fetches[0]!.answer({ keys: [one, two] })
    await verdict
    t.assert.deepEqual(events, [{ issuer: scripted, kids: ['one', 'two'], duration: 70 }])
  })

  test('each failed fetch is published with its reason', async (t) => {
    const events = eventsOf(t, diagnostics.refreshFailed)
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'HTTP 502'
    await issuer.ask('one')
    await issuer.ask('one')
    const event = { issuer: scripted, reason: 'HTTP 502', attempts: [], duration: 0 }
    t.assert.deepEqual(events, [event, event])
  })

  test('the use of a stale key is published with its age, the use of a fresh key is not', async (t) => {
    const events = eventsOf(t, diagnostics.servedStale)
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.failure = 'timeout'
    await issuer.askAt(interval - 1, 'one')
    t.assert.deepEqual(events, [])
    await issuer.askAt(interval, 'one')
    await issuer.askAt(interval + 5, 'one')
    t.assert.deepEqual(events, [
      { issuer: scripted, kid: 'one', age: interval },
      { issuer: scripted, kid: 'one', age: interval + 5 },
    ])
  })

  test('a removed key is published once, also if it was for several algorithms', async (t) => {
    const events = eventsOf(t, diagnostics.keyRemoved)
    const issuer = new ScriptedIssuer([one, rsaKey({ kid: 'rsa' })])
    await issuer.ask('one')
    issuer.keys = [one]
    await issuer.askAt(interval, 'one')
    await issuer.askAt(interval * 2, 'one')
    t.assert.deepEqual(events, [{ issuer: scripted, kid: 'rsa' }])
  })

  test('a key that is replaced under its kid is published as removed', async (t) => {
    const events = eventsOf(t, diagnostics.keyRemoved)
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.keys = [{ ...two, kid: 'one' }]
    await issuer.askAt(interval, 'one')
    t.assert.deepEqual(events, [{ issuer: scripted, kid: 'one' }])
  })

  test('each token with an unknown kid is published, also if it caused no fetch', async (t) => {
    const events = eventsOf(t, diagnostics.unknownKid)
    const issuer = new ScriptedIssuer([one])
    for (const kid of ['one', 'a', 'b', 'c', 'one', 'x'.repeat(1_000)]) await issuer.ask(kid)
    t.assert.deepEqual(
      events.map(({ kid }) => kid),
      ['a', 'b', 'c', 'x'.repeat(64)],
    )
    t.assert.equal(issuer.fetches.length, 3)
  })

  test('no unknown kid is published during an outage', async (t) => {
    const events = eventsOf(t, diagnostics.unknownKid)
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'timeout'
    await issuer.ask('a')
    t.assert.deepEqual(events, [])
  })
})

suite('another algorithm of a known kid', () => {
  test('a known kid with another algorithm is not published as unknown', async (t) => {
    const events = eventsOf(t, diagnostics.unknownKid)
    const issuer = new ScriptedIssuer([one])
    t.assert.equal(await issuer.ask('one', 'RS256'), 'none')
    t.assert.equal(await issuer.ask('one', 'RS256'), 'none')
    t.assert.deepEqual(events, [])
  })

  test('a known kid with another algorithm is not published as a stale key', async (t) => {
    const events = eventsOf(t, diagnostics.servedStale)
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.failure = 'timeout'
    issuer.time = interval
    t.assert.equal(await issuer.ask('one', 'RS256'), 'none')
    t.assert.deepEqual(events, [])
  })
})

suite('a long kid', () => {
  test('a long kid is cut in every event', async (t: TestContext) => {
    const kid = 'k'.repeat(999)
    const key = await createKeyPair('ES256', kid)
    const events = Object.values(diagnostics).flatMap((channel) => [eventsOf<object>(t, channel)])
    const { issuer, app } = await start(t, { jwks: { refreshInterval: 1, cooldown: 0 } })
    issuer.keys = [key.jwk]
    const token = await issuer.token({ key })
    await call(app, token)
    issuer.on('/jwks', sendJson({}, 500))
    await until(async () => {
      await call(app, token)
      return events.some((list) => list.some((event) => 'age' in event))
    })
    issuer.handlers.clear()
    issuer.keys = [issuer.key.jwk]
    await until(async () => (await call(app, token)).statusCode === 401)
    t.assert.equal(events.filter((list) => list.length > 0).length, 7)
    const text = JSON.stringify(events)
    t.assert.ok(text.includes('k'.repeat(64)))
    t.assert.ok(!text.includes('k'.repeat(65)))
  })
})

suite('events of tokens', () => {
  test('an accepted token is published with its issuer, its kid, its duration and whether it was cached', async (t: TestContext) => {
    const events = eventsOf(t, diagnostics.tokenAccepted)
    const { issuer, app } = await start(t)
    const token = await issuer.token()
    for (let round = 0; round < 3; round += 1) await call(app, token)
    const known = { issuer: issuer.issuer, kid: issuer.key.jwk.kid }
    t.assert.deepEqual(
      events.map(({ duration: _duration, ...event }) => event),
      [
        { ...known, cached: false },
        { ...known, cached: false },
        { ...known, cached: true },
      ],
    )
    const [first, , third] = events.map(({ duration }) => duration) as [number, number, number]
    t.assert.ok(first > third && third > 0 && first < 60_000, `${first} and at last ${third}`)
  })

  const refusedCases: Record<
    string,
    (issuer: LocalIssuer) => Promise<{ authorization?: string; event: object }>
  > = {
    'a request without a token': async () => ({
      event: { code: 'authorization_header_missing', issuer: undefined, kid: undefined },
    }),
    'a request with another scheme': async () => ({
      authorization: 'Basic eA==',
      event: { code: 'invalid_header', issuer: undefined, kid: undefined },
    }),
    'a request with an unreadable token': async () => ({
      authorization: 'Bearer x',
      event: { code: 'invalid_header', issuer: undefined, kid: undefined },
    }),
    'a token of an unknown issuer': async () => ({
      authorization: `Bearer ${unsignedToken({ alg: 'ES256', kid: 'k' }, { iss: 'https://unknown.example' }, 'AA')}`,
      event: { code: 'invalid_claims', issuer: undefined, kid: 'k' },
    }),
    'a token with a kid that is no string': async (issuer) => ({
      authorization: `Bearer ${unsignedToken({ alg: 'ES256', kid: { a: 1 } }, issuer.claims(), 'AA')}`,
      event: { code: 'invalid_header', issuer: issuer.issuer, kid: undefined },
    }),
    'a token with a long kid': async (issuer) => ({
      authorization: `Bearer ${await issuer.token({ header: { kid: 'k'.repeat(999) } })}`,
      event: { code: 'invalid_header', issuer: issuer.issuer, kid: 'k'.repeat(64) },
    }),
    'an expired token': async (issuer) => ({
      authorization: `Bearer ${await issuer.token({ claims: { exp: 1 } })}`,
      event: { code: 'token_expired', issuer: issuer.issuer, kid: issuer.key.jwk.kid },
    }),
    'a token without the scope': async (issuer) => ({
      authorization: `Bearer ${await issuer.token({ claims: { sub: 'no scope' } })}`,
      event: { code: 'insufficient_scope', issuer: issuer.issuer, kid: issuer.key.jwk.kid },
    }),
    'a revoked token': async (issuer) => ({
      authorization: `Bearer ${await issuer.token({ claims: { sub: 'revoked' } })}`,
      event: { code: 'token_revoked', issuer: issuer.issuer, kid: issuer.key.jwk.kid },
    }),
  }
  for (const [title, make] of Object.entries(refusedCases)) {
    test(`${title} is published once, with the code of the refusal`, async (t) => {
      const events = eventsOf(t, diagnostics.tokenRefused)
      const { issuer, app } = await start(t, { isRevoked: ({ sub }) => sub === 'revoked' })
      app.get('/scoped', { onRequest: [app.authorize({ scope: 'read' })] }, async () => 'ok')
      const { authorization, event } = await make(issuer)
      const headers = authorization === undefined ? {} : { authorization }
      t.assert.notEqual((await app.inject({ url: '/scoped', headers })).statusCode, 200)
      t.assert.deepEqual(events, [event])
    })
  }

  test('an outage of the issuer is published as a refusal', async (t) => {
    const events = eventsOf(t, diagnostics.tokenRefused)
    const { issuer, app } = await start(t)
    issuer.on('/jwks', sendJson('no keys', 500))
    await call(app, await issuer.token())
    t.assert.deepEqual(events, [{ code: 'jwks_unavailable', issuer: issuer.issuer, kid: issuer.key.jwk.kid }])
  })
})

suite('the channels', () => {
  test('the channels are channels of node:diagnostics_channel with documented names', async (t) => {
    const names = Object.values(diagnostics).map(({ name }) => String(name))
    t.assert.deepEqual(
      names,
      [
        'keys-fetched',
        'refresh-failed',
        'served-stale',
        'key-removed',
        'unknown-kid',
        'token-accepted',
        'token-refused',
      ].map((event) => `fastify-jwks-auth:${event}`),
    )
    const seen: unknown[] = []
    const listener = (event: unknown): void => void seen.push(event)
    for (const name of names) subscribe(name, listener)
    t.after(() => {
      for (const name of names) unsubscribe(name, listener)
    })
    const { issuer, app } = await start(t)
    await call(app, await issuer.token())
    t.assert.equal(seen.length, 2)
  })

  test('no event contains a token, its claims or text of the issuer', async (t: TestContext) => {
    const secrets = ['a subject', 'a scope', 'a body']
    const seen: unknown[] = Object.values(diagnostics).map((channel) => eventsOf<object>(t, channel))
    const { issuer, app } = await start(t, { jwks: { refreshInterval: 1, cooldown: 0 } })
    const token = await issuer.token({ claims: { sub: secrets[0], scope: secrets[1] } })
    await call(app, token)
    await call(app, token)
    await call(app, `${token.slice(0, -4)}AAAA`)
    issuer.keys = [(await createKeyPair()).jwk]
    await until(async () => (await call(app, token)).statusCode !== 200)
    issuer.on('/jwks', (_request, response) => void response.writeHead(500).end(secrets[2]))
    await until(async () => (await call(app, token)).statusCode === 503)
    const text = JSON.stringify(seen)
    t.assert.match(text, /HTTP 500/)
    for (const secret of [token, token.split('.')[2]!, ...secrets]) t.assert.ok(!text.includes(secret))
  })
})

const maxStale = 3_600_000

function assertStatus(t: TestContext, issuer: ScriptedIssuer, status: Omit<KeyStatus, 'issuer'>): void {
  t.assert.deepEqual(issuer.remote.status(), { issuer: 'https://id.example.com/', ...status })
}

suite('the status of an issuer', () => {
  const nothing = { kids: [], age: undefined, reason: undefined }

  test('the status is idle before keys are needed, and reading it causes no fetch', (t) => {
    const issuer = new ScriptedIssuer([one])
    assertStatus(t, issuer, { state: 'idle', ...nothing })
    t.assert.equal(issuer.fetches.length, 0)
  })

  test('the status is fresh during the refresh interval and idle after it', async (t) => {
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

  test('the status is unavailable if no fetch has succeeded', async (t) => {
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'ECONNREFUSED'
    await issuer.ask('one')
    assertStatus(t, issuer, { state: 'unavailable', ...nothing, reason: 'ECONNREFUSED' })
  })

  test('the status is fresh, stale and unavailable during an outage, and fresh after it', async (t) => {
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

  test('reading the status during an outage starts the fetches that are due', async (t: TestContext) => {
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
  test('app.jwksStatus has an entry for each issuer that publishes keys', async (t) => {
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
