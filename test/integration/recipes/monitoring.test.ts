import { readFileSync } from 'node:fs'
import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { build as buildMetrics } from '../../../docs/examples/metrics.ts'
import { build as buildWatching, count } from '../../../docs/examples/watching.ts'
import { diagnostics } from '../../../lib/index.ts'
import { call } from '../../helpers/app.ts'
import { createKeyPair, sendJson, LocalIssuer, until } from '../../helpers/issuer.ts'
import { setUp } from '../../helpers/recipe.ts'

/** The recipes for monitoring: metrics for Prometheus, a readiness route, counted refusals. */

interface Server {
  readonly issuer: LocalIssuer
  readonly app: FastifyInstance
  /** The status of a request with a token. */
  readonly get: (token: string) => Promise<number>
  /** Scrapes the metrics: the value of each sample by its name and labels, in the order of the answer. */
  readonly scrape: () => Promise<Map<string, number>>
}

/** Starts an issuer, and a server that accepts its tokens. */
async function start(t: TestContext): Promise<Server> {
  const issuer = await LocalIssuer.start()
  const app = await buildMetrics({ issuer: issuer.issuer, audience: 'api' })
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    issuer,
    app,
    async get(token) {
      const response = await fetch(`${address}/me`, { headers: { authorization: `Bearer ${token}` } })
      await response.text()
      return response.status
    },
    async scrape() {
      const response = await fetch(`${address}/metrics`)
      t.assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
      const samples = (await response.text())
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
      return new Map(
        samples.map((line) => {
          const end = line.lastIndexOf(' ')
          return [line.slice(0, end).replaceAll(issuer.issuer, 'ISSUER'), Number(line.slice(end))]
        }),
      )
    },
  }
}

/** Returns a function that moves the monotonic clock forward. The age of keys is measured with it. */
function clock(t: TestContext): (milliseconds: number) => void {
  const now = performance.now.bind(performance)
  let ahead = 0
  t.mock.method(performance, 'now', () => now() + ahead)
  return (milliseconds) => {
    ahead += milliseconds
  }
}

suite('metrics', () => {
  test('an issuer that was never used is up, and has no other metric', async (t: TestContext) => {
    const { scrape } = await start(t)
    const samples = await scrape()
    t.assert.deepEqual(
      [...samples].filter(([name]) => name.includes('{')),
      [['jwks_auth_issuer_up{issuer="ISSUER"}', 1]],
    )
  })

  test('accepted tokens and their duration are counted by issuer, cached ones separately', async (t: TestContext) => {
    const { issuer, get, scrape } = await start(t)
    const token = await issuer.token()
    for (let time = 0; time < 3; time++) t.assert.equal(await get(token), 200)
    const samples = await scrape()
    const count = 'jwks_auth_verification_seconds_count'
    t.assert.equal(samples.get(`${count}{issuer="ISSUER",cached="false"}`), 2)
    t.assert.equal(samples.get(`${count}{issuer="ISSUER",cached="true"}`), 1)
    const sum = samples.get('jwks_auth_verification_seconds_sum{issuer="ISSUER",cached="false"}')!
    t.assert.ok(sum > 0 && sum < 10, `${sum} s`)
    t.assert.equal(samples.get('jwks_auth_fetches_total{issuer="ISSUER",outcome="answered"}'), 1)
    const age = samples.get('jwks_auth_keys_age_seconds{issuer="ISSUER"}')!
    t.assert.ok(age > 0 && age < 10, `${age} s`)
  })

  test('refusals are counted by code, and by issuer if the issuer is configured', async (t: TestContext) => {
    const { issuer, get, scrape } = await start(t)
    t.assert.equal(await get(await issuer.token({ claims: { exp: 1 } })), 401)
    t.assert.equal(await get(await issuer.token({ claims: { exp: 1 } })), 401)
    t.assert.equal(await get(await issuer.token({ claims: { aud: 'another' } })), 401)
    t.assert.equal(await get(await issuer.token({ claims: { iss: 'https://unknown.example/' } })), 401)
    t.assert.equal(await get('opaque'), 401)
    const samples = await scrape()
    const refused = [...samples].filter(([name]) => name.startsWith('jwks_auth_refused_total'))
    t.assert.deepEqual(refused, [
      ['jwks_auth_refused_total{issuer="ISSUER",code="token_expired"}', 2],
      ['jwks_auth_refused_total{issuer="ISSUER",code="invalid_audience"}', 1],
      ['jwks_auth_refused_total{issuer="",code="invalid_claims"}', 1],
      ['jwks_auth_refused_total{issuer="",code="invalid_header"}', 1],
    ])
  })

  test('a rotation shows in the metrics as a fetch, an unknown kid and a removed key', async (t: TestContext) => {
    const { issuer, get, scrape } = await start(t)
    t.assert.equal(await get(await issuer.token()), 200)
    const key = await createKeyPair()
    issuer.keys = [key.jwk]
    t.assert.equal(await get(await issuer.token({ key })), 200)
    t.assert.equal(await get(await issuer.token()), 401)
    const samples = await scrape()
    t.assert.equal(samples.get('jwks_auth_keys_removed_total{issuer="ISSUER"}'), 1)
    t.assert.equal(samples.get('jwks_auth_unknown_kids_total{issuer="ISSUER"}'), 1)
    t.assert.equal(samples.get('jwks_auth_fetches_total{issuer="ISSUER",outcome="answered"}'), 3)
    t.assert.equal(samples.get('jwks_auth_refused_total{issuer="ISSUER",code="invalid_header"}'), 1)
  })

  test('an outage and its end show in the metrics', async (t: TestContext) => {
    const advance = clock(t)
    const { issuer, get, scrape } = await start(t)
    const token = await issuer.token()
    t.assert.equal(await get(token), 200)

    issuer.on('/jwks', sendJson({}, 500))
    advance(600_000)
    t.assert.equal(await get(token), 200)
    const during = await scrape()
    t.assert.equal(during.get('jwks_auth_issuer_up{issuer="ISSUER"}'), 0)
    t.assert.ok(during.get('jwks_auth_fetches_total{issuer="ISSUER",outcome="failed"}')! >= 1)
    t.assert.equal(during.get('jwks_auth_stale_total{issuer="ISSUER"}'), 1)
    const age = during.get('jwks_auth_keys_age_seconds{issuer="ISSUER"}')!
    t.assert.ok(age >= 600 && age < 610, `${age} s`)

    advance(3_600_000)
    t.assert.equal(await get(token), 503)
    const longer = await scrape()
    t.assert.equal(longer.get('jwks_auth_refused_total{issuer="ISSUER",code="jwks_unavailable"}'), 1)

    issuer.handlers.clear()
    advance(60_000)
    t.assert.equal(await get(token), 200)
    const after = await scrape()
    t.assert.equal(after.get('jwks_auth_issuer_up{issuer="ISSUER"}'), 1)
    t.assert.ok(after.get('jwks_auth_keys_age_seconds{issuer="ISSUER"}')! < 10)
  })

  test('unknown kids and issuers add no samples', async (t: TestContext) => {
    const { issuer, get, scrape } = await start(t)
    const send = async (index: number): Promise<void> => {
      t.assert.equal(await get(await issuer.token({ header: { kid: `kid ${index}` } })), 401)
      t.assert.equal(await get(await issuer.token({ claims: { iss: `https://${index}.example/` } })), 401)
    }
    await send(0)
    const before = (await scrape()).size
    for (let index = 1; index < 20; index++) await send(index)
    t.assert.equal((await scrape()).size, before)
  })

  test('a closed server leaves no listener on a channel', async (t: TestContext) => {
    const { app } = await start(t)
    t.assert.equal(diagnostics.tokenAccepted.hasSubscribers, true)
    await app.close()
    t.assert.deepEqual(
      Object.values(diagnostics).filter(({ hasSubscribers }) => hasSubscribers),
      [],
    )
  })

  test('the alerts of the document use metrics that the example exports', async (t: TestContext) => {
    const { issuer, get, scrape } = await start(t)
    t.assert.equal(await get(await issuer.token()), 200)
    t.assert.equal(await get(await issuer.token({ header: { kid: 'unknown' } })), 401)
    const samples = [...(await scrape()).keys()].map((name) => name.split('{')[0])
    const document = readFileSync(new URL('../../../docs/diagnostics.md', import.meta.url), 'utf8')
    const alerts = document.slice(document.indexOf('```promql'))
    const named = new Set(alerts.match(/jwks_auth_\w+/g))
    t.assert.ok(named.size > 3)
    t.assert.deepEqual(
      [...named].filter((name) => !samples.includes(name)),
      [],
    )
  })
})

test('a readiness route answers 503 during an outage of the issuer and 200 after it', async (t) => {
  const { issuer, app } = await setUp(t, buildWatching)
  const ready = async (): Promise<number> => (await app.inject('/ready')).statusCode
  t.assert.equal(await ready(), 200)
  issuer.on('/jwks', sendJson({}, 500))
  t.assert.equal((await call(app, await issuer.token(), '/me')).statusCode, 503)
  t.assert.equal(await ready(), 503)
  issuer.handlers.clear()
  await until(async () => (await ready()) === 200)
})

test('a subscriber of a channel counts refusals by code and issuer', async (t) => {
  const counted: unknown[] = []
  count({ add: (value, attributes) => counted.push([value, attributes]) })
  const { issuer, app } = await setUp(t, buildWatching)
  await call(app, await issuer.token({ claims: { exp: 1 } }), '/me')
  t.assert.deepEqual(counted, [[1, { code: 'token_expired', issuer: issuer.issuer }]])
})
