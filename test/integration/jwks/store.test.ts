import Fastify, { type FastifyInstance } from 'fastify'
import { suite, test, type TestContext } from 'node:test'
import jwksAuth, { diagnostics, type JwksAuthOptions } from '../../../lib/index.ts'
import { call } from '../../helpers/app.ts'
import { eventsOf } from '../../helpers/events.ts'
import { createKeyPair, LocalIssuer, until } from '../../helpers/issuer.ts'

const storeSecret = 's'.repeat(32)

interface Process {
  app: FastifyInstance
  log: { msg: string; reason?: string }[]
  /** The status of a request, and the code of a refusal. */
  ask: (token: string) => Promise<string>
}

/** Starts an application that shares keys, as another process would. */
async function start(t: TestContext, options: object, jwks: JwksAuthOptions['jwks']): Promise<Process> {
  const log: Process['log'] = []
  const stream = { write: (line: string) => void log.push(JSON.parse(line) as Process['log'][number]) }
  const app = Fastify({ logger: { level: 'warn', stream } })
  t.after(() => app.close())
  await app.register(jwksAuth, { ...options, jwks } as JwksAuthOptions)
  app.get('/secured', { onRequest: app.authenticate }, async () => 'accepted')
  return {
    app,
    log,
    async ask(token) {
      const response = await call(app, token)
      return response.statusCode === 200
        ? '200'
        : `${response.statusCode} ${response.json<{ code: string }>().code}`
    },
  }
}

async function startIssuer(t: TestContext, options: { path?: string } = {}): Promise<LocalIssuer> {
  const issuer = await LocalIssuer.start(options)
  t.after(() => issuer.close())
  return issuer
}

/** Waits until an answer is stored, which no request waits for. */
async function stored(store: Map<string, string>, count = 1): Promise<void> {
  await until(async () => [...store.keys()].filter((key) => key.includes('answer')).length >= count)
}

suite('keys in a store', () => {
  test('a process that starts while the issuer is down accepts tokens with stored keys, and no forged ones', async (t: TestContext) => {
    const [issuer, store] = [await startIssuer(t), new Map<string, string>()]
    const options = { issuer: issuer.issuer, audience: 'api' }
    const token = await issuer.token()
    const before = await start(t, options, { store, storeSecret })
    t.assert.equal(await before.ask(token), '200')
    await stored(store)
    await before.app.close()
    await issuer.close()

    const after = await start(t, options, { store, storeSecret })
    t.assert.equal(await after.ask(token), '200')
    t.assert.deepEqual(after.log, [])
    const other = await createKeyPair('ES256', issuer.key.jwk.kid)
    t.assert.equal(await after.ask(await issuer.token({ key: other })), '401 token_invalid_signature')
  })

  test('processes that share keys ask the issuer once', async (t: TestContext) => {
    const [issuer, store] = [await startIssuer(t), new Map<string, string>()]
    const token = await issuer.token()
    for (let count = 0; count < 3; count += 1) {
      const { ask } = await start(t, { issuer: issuer.issuer, audience: 'api' }, { store, storeSecret })
      t.assert.equal(await ask(token), '200')
      await stored(store)
    }
    t.assert.equal(issuer.fetches, 1)
  })

  test('a key that is removed is refused by every process that sees a token of the new key', async (t: TestContext) => {
    const [issuer, store] = [await startIssuer(t), new Map<string, string>()]
    const options = { issuer: issuer.issuer, audience: 'api' }
    const [here, there] = [
      await start(t, options, { store, storeSecret }),
      await start(t, options, { store, storeSecret }),
    ]
    const token = await issuer.token()
    for (const { ask } of [here, there]) t.assert.equal(await ask(token), '200')
    await stored(store)
    const key = await createKeyPair('ES256')
    issuer.keys = [key.jwk]
    const newToken = await issuer.token({ key })
    const [[name, old]] = [...store].filter(([entry]) => entry.includes('answer')) as [[string, string]]
    t.assert.equal(await here.ask(newToken), '200')
    await until(async () => store.get(name) !== old)
    t.assert.equal(await there.ask(newToken), '200')
    t.assert.equal(issuer.fetches, 2)
    for (const { ask } of [here, there]) t.assert.equal(await ask(token), '401 invalid_header')
  })

  test('the status and the events tell whether keys came from the issuer or from the store, and their age', async (t: TestContext) => {
    const [issuer, store] = [await startIssuer(t), new Map<string, string>()]
    const events = eventsOf(t, diagnostics.keysFetched)
    const token = await issuer.token()
    const [{ kid }] = [issuer.key.jwk]
    for (const source of ['issuer', 'store']) {
      const { app, ask } = await start(t, { issuer: issuer.issuer, audience: 'api' }, { store, storeSecret })
      t.assert.deepEqual(Object.keys(app.jwksStatus()[0]!), ['issuer', 'state', 'kids', 'age', 'reason'])
      t.assert.equal(await ask(token), '200')
      await stored(store)
      const { age, ...status } = app.jwksStatus()[0]!
      t.assert.deepEqual(status, {
        issuer: issuer.issuer,
        state: 'fresh',
        kids: [kid],
        reason: undefined,
        source,
      })
      t.assert.ok(age! >= 0 && age! < 10_000)
    }
    t.assert.deepEqual(
      events.map(({ issuer: name, kids, source }) => [name, kids, source]),
      [
        [issuer.issuer, [kid], 'issuer'],
        [issuer.issuer, [kid], 'store'],
      ],
    )
    for (const { age, duration } of events) t.assert.ok(age! >= 0 && duration >= 0)
  })

  test('several issuers, also of a function, have entries of their own', async (t: TestContext) => {
    const store = new Map<string, string>()
    const issuers = await Promise.all(['/a', '/b'].map((path) => startIssuer(t, { path })))
    const tokens = await Promise.all(issuers.map((issuer) => issuer.token()))
    const list = issuers.map(({ issuer }) => ({ issuer, audience: 'api' }))
    const before = await start(t, { issuers: list }, { store, storeSecret })
    for (const token of tokens) t.assert.equal(await before.ask(token), '200')
    await stored(store, 2)
    for (const issuer of issuers) await issuer.close()
    const find = (iss: string): object | undefined => list.find(({ issuer }) => issuer === iss)
    const after = await start(t, { issuers: find }, { store, storeSecret })
    for (const token of tokens) t.assert.equal(await after.ask(token), '200')
  })

  test('entries that are swapped between issuers are ignored, with one log line for each', async (t: TestContext) => {
    const store = new Map<string, string>()
    const issuers = await Promise.all(['/a', '/b'].map((path) => startIssuer(t, { path })))
    const tokens = await Promise.all(issuers.map((issuer) => issuer.token()))
    const list = issuers.map(({ issuer }) => ({ issuer, audience: 'api' }))
    const before = await start(t, { issuers: list }, { store, storeSecret })
    for (const token of tokens) await before.ask(token)
    await stored(store, 2)
    const [[one, textOne], [other, textOther]] = [...store].filter(([key]) => key.includes('answer')) as [
      [string, string],
      [string, string],
    ]
    store.set(one, textOther)
    store.set(other, textOne)
    const after = await start(t, { issuers: list }, { store, storeSecret })
    for (const token of tokens) t.assert.equal(await after.ask(token), '200')
    t.assert.deepEqual(
      issuers.map(({ fetches }) => fetches),
      [2, 2],
    )
    t.assert.deepEqual(
      after.log.map(({ msg, reason }) => [msg, reason]),
      Array(2).fill(['stored keys are ignored', 'it is for another issuer or jwksUri']),
    )
  })

  test('with another jwksUri the stored keys are not used', async (t: TestContext) => {
    const [issuer, store] = [await startIssuer(t), new Map<string, string>()]
    const token = await issuer.token()
    const options = { issuer: 'urn:issuer', audience: 'api' }
    const key = await createKeyPair('ES256')
    issuer.on('/other', { keys: [key.jwk] })
    const own = await issuer.token({ claims: { iss: 'urn:issuer' } })
    const before = await start(t, { ...options, jwksUri: issuer.jwksUri }, { store, storeSecret })
    t.assert.equal(await before.ask(own), '200')
    await stored(store)
    const after = await start(t, { ...options, jwksUri: `${issuer.origin}/other` }, { store, storeSecret })
    t.assert.equal(await after.ask(own), '401 invalid_header')
    t.assert.notEqual(token, own)
  })

  test('a secret given as text and the same one given as bytes share keys', async (t: TestContext) => {
    const [issuer, store] = [await startIssuer(t), new Map<string, string>()]
    const token = await issuer.token()
    const options = { issuer: issuer.issuer, audience: 'api' }
    const text = 'ü'.repeat(16)
    const before = await start(t, options, { store, storeSecret: text })
    await before.ask(token)
    await stored(store)
    const after = await start(t, options, { store, storeSecret: new TextEncoder().encode(text) })
    t.assert.equal(await after.ask(token), '200')
    t.assert.equal(issuer.fetches, 1)
  })

  test('prefetch takes stored keys while the issuer is down', async (t: TestContext) => {
    const [issuer, store] = [await startIssuer(t), new Map<string, string>()]
    const options = { issuer: issuer.issuer, audience: 'api' }
    const before = await start(t, options, { store, storeSecret, prefetch: true })
    await before.app.ready()
    await stored(store)
    await issuer.close()
    const after = await start(t, options, { store, storeSecret, prefetch: true })
    await after.app.ready()
    t.assert.equal(after.app.jwksStatus()[0]!.state, 'fresh')
  })

  test('a store that never answers delays the first token by half a second, and is reported once', async (t: TestContext) => {
    const issuer = await startIssuer(t)
    const hang = { get: () => new Promise<never>(() => {}), set: () => new Promise<never>(() => {}) }
    const { ask, log } = await start(
      t,
      { issuer: issuer.issuer, audience: 'api' },
      { store: hang, storeSecret },
    )
    const startedAt = performance.now()
    t.assert.equal(await ask(await issuer.token()), '200')
    const waited = performance.now() - startedAt
    t.assert.ok(waited > 450 && waited < 2_000, `${waited} ms`)
    t.assert.equal(await ask(await issuer.token({ header: { kid: 'unknown' } })), '401 invalid_header')
    t.assert.deepEqual(
      log.flatMap(({ msg, reason }) => (reason === undefined ? [] : [[msg, reason]])),
      [['jwks.store fails, so the keys are neither read from it nor shared', 'timeout']],
    )
  })
})
