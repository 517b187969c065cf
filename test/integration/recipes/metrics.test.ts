import { readFileSync } from 'node:fs'
import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { build } from '../../../docs/examples/metrics.ts'
import { diagnostics } from '../../../lib/index.ts'
import { createKeyPair, sendJson, LocalIssuer } from '../../helpers/issuer.ts'

interface Server {
  readonly issuer: LocalIssuer
  readonly app: FastifyInstance
  /** The status of a request with a token. */
  readonly get: (token: string) => Promise<number>
  /** By its name and labels, the value of each sample that a scrape gives, in the order of the labels there. */
  readonly scrape: () => Promise<Map<string, number>>
}

/** A server that listens, and an issuer that it believes. */
async function start(t: TestContext): Promise<Server> {
  const issuer = await LocalIssuer.start()
  const app = await build({ issuer: issuer.issuer, audience: 'api' })
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

/** Lets time pass on the clock that keys are kept by. */
function clock(t: TestContext): (milliseconds: number) => void {
  const now = performance.now.bind(performance)
  let ahead = 0
  t.mock.method(performance, 'now', () => now() + ahead)
  return (milliseconds) => {
    ahead += milliseconds
  }
}

suite('metrics', () => {
  test('begin with an issuer that nobody has asked for', async (t: TestContext) => {
    const { scrape } = await start(t)
    const samples = await scrape()
    t.assert.deepEqual(
      [...samples].filter(([name]) => name.includes('{')),
      [['jwks_auth_issuer_up{issuer="ISSUER"}', 1]],
    )
  })

  test('count accepted tokens by issuer, with the time that they took, remembered ones apart', async (t: TestContext) => {
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

  test('count refusals by code, and by issuer where it is one of ours', async (t: TestContext) => {
    const { issuer, get, scrape } = await start(t)
    t.assert.equal(await get(await issuer.token({ claims: { exp: 1 } })), 401)
    t.assert.equal(await get(await issuer.token({ claims: { exp: 1 } })), 401)
    t.assert.equal(await get(await issuer.token({ claims: { aud: 'another' } })), 401)
    t.assert.equal(await get(await issuer.token({ claims: { iss: 'https://stranger.example/' } })), 401)
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

  test('show a rotation: the fetch for the new key, and the old one that is removed', async (t: TestContext) => {
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

  test('show an outage and its end', async (t: TestContext) => {
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

  test('do not grow with what strangers write', async (t: TestContext) => {
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

  test('of a server that is closed no listener stays', async (t: TestContext) => {
    const { app } = await start(t)
    t.assert.equal(diagnostics.tokenAccepted.hasSubscribers, true)
    await app.close()
    t.assert.deepEqual(
      Object.values(diagnostics).filter(({ hasSubscribers }) => hasSubscribers),
      [],
    )
  })

  test('of the document are those of the example', async (t: TestContext) => {
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
