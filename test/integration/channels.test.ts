import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { diagnostics, type JwksAuthOptions } from '../../lib/index.ts'
import { call, createApp } from '../helpers/app.ts'
import { eventsOf } from '../helpers/events.ts'
import { createKeyPair, sendJson, LocalIssuer, unsignedToken, until } from '../helpers/issuer.ts'
import { curveKey } from '../helpers/jwk.ts'
import { ScriptedIssuer } from '../helpers/scripted-issuer.ts'

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
  test('a good answer is told with the kids and how long it took', async (t) => {
    const events = eventsOf(t, diagnostics.keysFetched)
    const issuer = new ScriptedIssuer([one, two])
    issuer.held = true
    const verdict = issuer.ask('one')
    issuer.time = 70
    issuer.fetches[0]!.answer({ keys: [one, two] })
    await verdict
    t.assert.deepEqual(events, [{ issuer: scripted, kids: ['one', 'two'], duration: 70 }])
  })

  test('each failed fetch is told with the reason', async (t) => {
    const events = eventsOf(t, diagnostics.refreshFailed)
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'HTTP 502'
    await issuer.ask('one')
    await issuer.ask('one')
    const event = { issuer: scripted, reason: 'HTTP 502', duration: 0 }
    t.assert.deepEqual(events, [event, event])
  })

  test('a stale key that is used is told with its age, a fresh one is not', async (t) => {
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

  test('a removed key is told once, whatever number of algorithms it was for', async (t) => {
    const events = eventsOf(t, diagnostics.keyRemoved)
    const { publicKey } = await crypto.subtle.generateKey(
      {
        name: 'RSASSA-PKCS1-v1_5',
        modulusLength: 2_048,
        publicExponent: new Uint8Array([1, 0, 1]),
        hash: 'SHA-256',
      },
      true,
      ['sign', 'verify'],
    )
    const { n, e, kty } = await crypto.subtle.exportKey('jwk', publicKey)
    const issuer = new ScriptedIssuer([one, { kid: 'rsa', kty, n, e }])
    await issuer.ask('one')
    issuer.keys = [one]
    await issuer.askAt(interval, 'one')
    await issuer.askAt(interval * 2, 'one')
    t.assert.deepEqual(events, [{ issuer: scripted, kid: 'rsa' }])
  })

  test('a key that is replaced under its kid is told as removed', async (t) => {
    const events = eventsOf(t, diagnostics.keyRemoved)
    const issuer = new ScriptedIssuer([one])
    await issuer.ask('one')
    issuer.keys = [{ ...two, kid: 'one' }]
    await issuer.askAt(interval, 'one')
    t.assert.deepEqual(events, [{ issuer: scripted, kid: 'one' }])
  })

  test('each token with an unknown kid is told, whether it caused a fetch or not', async (t) => {
    const events = eventsOf(t, diagnostics.unknownKid)
    const issuer = new ScriptedIssuer([one])
    for (const kid of ['one', 'a', 'b', 'c', 'one', 'x'.repeat(1_000)]) await issuer.ask(kid)
    t.assert.deepEqual(
      events.map(({ kid }) => kid),
      ['a', 'b', 'c', 'x'.repeat(64)],
    )
    t.assert.equal(issuer.fetches.length, 3)
  })

  test('an unknown kid in an outage is none, since nobody knows', async (t) => {
    const events = eventsOf(t, diagnostics.unknownKid)
    const issuer = new ScriptedIssuer([one])
    issuer.failure = 'timeout'
    await issuer.ask('a')
    t.assert.deepEqual(events, [])
  })
})

suite('what is told of other algorithms of a known kid', () => {
  test('no unknown kid, whether keys were known or not', async (t) => {
    const events = eventsOf(t, diagnostics.unknownKid)
    const issuer = new ScriptedIssuer([one])
    t.assert.equal(await issuer.ask('one', 'RS256'), 'none')
    t.assert.equal(await issuer.ask('one', 'RS256'), 'none')
    t.assert.deepEqual(events, [])
  })

  test('no stale key, since none was used', async (t) => {
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
  test('is cut in every event', async (t: TestContext) => {
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
  test('an accepted token is told with its issuer, its kid, whether it was known, and the time it took', async (t: TestContext) => {
    const events = eventsOf(t, diagnostics.tokenAccepted)
    const { issuer, app } = await start(t)
    const token = await issuer.token()
    for (let round = 0; round < 3; round += 1) await call(app, token)
    const told = { issuer: issuer.issuer, kid: issuer.key.jwk.kid }
    t.assert.deepEqual(
      events.map(({ duration: _duration, ...event }) => event),
      [
        { ...told, cached: false },
        { ...told, cached: false },
        { ...told, cached: true },
      ],
    )
    const [first, , third] = events.map(({ duration }) => duration) as [number, number, number]
    t.assert.ok(first > third && third > 0 && first < 60_000, `${first} and at last ${third}`)
  })

  const refusedCases: Record<
    string,
    (issuer: LocalIssuer) => Promise<{ authorization?: string; told: object }>
  > = {
    'without a token': async () => ({
      told: { code: 'authorization_header_missing', issuer: undefined, kid: undefined },
    }),
    'with another scheme': async () => ({
      authorization: 'Basic eA==',
      told: { code: 'invalid_header', issuer: undefined, kid: undefined },
    }),
    'with what is no token': async () => ({
      authorization: 'Bearer x',
      told: { code: 'invalid_header', issuer: undefined, kid: undefined },
    }),
    "with a stranger's token": async () => ({
      authorization: `Bearer ${unsignedToken({ alg: 'ES256', kid: 'k' }, { iss: 'https://stranger.example' }, 'AA')}`,
      told: { code: 'invalid_claims', issuer: undefined, kid: 'k' },
    }),
    'with a kid that is no string': async (issuer) => ({
      authorization: `Bearer ${unsignedToken({ alg: 'ES256', kid: { a: 1 } }, issuer.claims(), 'AA')}`,
      told: { code: 'invalid_header', issuer: issuer.issuer, kid: undefined },
    }),
    'with a long kid': async (issuer) => ({
      authorization: `Bearer ${await issuer.token({ header: { kid: 'k'.repeat(999) } })}`,
      told: { code: 'invalid_header', issuer: issuer.issuer, kid: 'k'.repeat(64) },
    }),
    'with an expired token': async (issuer) => ({
      authorization: `Bearer ${await issuer.token({ claims: { exp: 1 } })}`,
      told: { code: 'token_expired', issuer: issuer.issuer, kid: issuer.key.jwk.kid },
    }),
    'without the scope': async (issuer) => ({
      authorization: `Bearer ${await issuer.token({ claims: { sub: 'no scope' } })}`,
      told: { code: 'insufficient_scope', issuer: issuer.issuer, kid: issuer.key.jwk.kid },
    }),
    'with a revoked token': async (issuer) => ({
      authorization: `Bearer ${await issuer.token({ claims: { sub: 'revoked' } })}`,
      told: { code: 'token_revoked', issuer: issuer.issuer, kid: issuer.key.jwk.kid },
    }),
  }
  for (const [title, make] of Object.entries(refusedCases)) {
    test(`a request ${title} is told with its code, and once`, async (t) => {
      const events = eventsOf(t, diagnostics.tokenRefused)
      const { issuer, app } = await start(t, { isRevoked: ({ sub }) => sub === 'revoked' })
      app.get('/scoped', { onRequest: [app.authorize({ scope: 'read' })] }, async () => 'ok')
      const { authorization, told } = await make(issuer)
      const headers = authorization === undefined ? {} : { authorization }
      t.assert.notEqual((await app.inject({ url: '/scoped', headers })).statusCode, 200)
      t.assert.deepEqual(events, [told])
    })
  }

  test('an issuer that can not be reached is told as a refusal too', async (t) => {
    const events = eventsOf(t, diagnostics.tokenRefused)
    const { issuer, app } = await start(t)
    issuer.on('/jwks', sendJson('no keys', 500))
    await call(app, await issuer.token())
    t.assert.deepEqual(events, [{ code: 'jwks_unavailable', issuer: issuer.issuer, kid: issuer.key.jwk.kid }])
  })
})

suite('channels', () => {
  test('are those of node:diagnostics_channel, by their names', async (t) => {
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

  test('never hold a token, its claims or what an issuer wrote', async (t: TestContext) => {
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
