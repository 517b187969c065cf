import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { Agent } from 'undici'
import type { JwksOptions } from '../../../lib/index.ts'
import type { Dispatcher } from '../../../lib/fetch/dispatcher-client.ts'
import { call, createApp } from '../../helpers/app.ts'
import { agent } from '../../helpers/dispatcher.ts'
import { bodyText, hostile, redirect } from '../../helpers/hostile.ts'
import {
  createKeyPair,
  LocalIssuer,
  sendJson,
  until,
  type Handler,
  type KeyPair,
} from '../../helpers/issuer.ts'

/** An application and the keys of its issuer: outages, rotation, and how keys are fetched. */

const metadataPath = '/.well-known/openid-configuration'

let key: KeyPair
let newKey: KeyPair
/** Another origin, which must get no request. */
let elsewhere: LocalIssuer
before(async () => {
  key = await createKeyPair('ES256', 'known')
  newKey = await createKeyPair('ES256', 'new')
  elsewhere = await LocalIssuer.start({ key })
  // The first fetch loads modules, which would take a part of the short timeouts below.
  await using both = await start()
  await call(both.app, await both.issuer.token())
})
after(async () => {
  await elsewhere.close()
})

/** Starts an issuer, and an application that fetches its keys anew for almost every request. */
async function start(
  jwks: JwksOptions = {},
): Promise<{ issuer: LocalIssuer; app: FastifyInstance } & AsyncDisposable> {
  const issuer = await LocalIssuer.start({ key })
  const app = await createApp({
    issuer: issuer.issuer,
    audience: 'api',
    jwks: { refreshInterval: 20, timeout: 5_000, maxResponseSize: 65_536, ...jwks },
  })
  return {
    issuer,
    app,
    async [Symbol.asyncDispose]() {
      await app.close()
      await issuer.close()
    },
  }
}

/** Waits for a recovery. On a busy machine even a good answer may come after the short timeout. */
async function recovery(app: FastifyInstance, token: string): Promise<void> {
  await until(async () => (await call(app, token)).statusCode === 200)
}

async function assertUnavailable(app: FastifyInstance, token: string): Promise<void> {
  const response = await call(app, token)
  assert.equal(response.statusCode, 503)
  assert.equal(response.json<{ code: string }>().code, 'jwks_unavailable')
  assert.match(String(response.headers['retry-after']), /^[1-9]\d*$/)
  assert.equal(response.headers['www-authenticate'], undefined)
  assert.ok(!response.body.includes(bodyText))
}

const redirected: Handler = (request, response) =>
  redirect(307, `${elsewhere.origin}${request.url}`)(request, response)

const badSets: Record<string, Handler> = {
  'is of another shape': sendJson([{ keys: [] }]),
  'is null': sendJson(null),
  'has keys that are no list': sendJson({ keys: { bodyText } }),
  'has no key': sendJson({ keys: [] }),
  'has no usable key': (_request, response) =>
    sendJson({ keys: [{ ...key.jwk, use: 'enc' }, bodyText] })(_request, response),
}

const badMetadata: Record<string, Handler> = {
  'is of another shape': sendJson([]),
  'names another issuer': sendJson({
    issuer: 'https://other.example.com',
    jwks_uri: 'https://nope.invalid/',
  }),
  'has no jwks_uri': (request, response) =>
    sendJson({ issuer: `http://${request.headers.host}` })(request, response),
  'has a jwks_uri that is not https': (request, response) =>
    sendJson({ issuer: `http://${request.headers.host}`, jwks_uri: 'http://nope.invalid/' })(
      request,
      response,
    ),
}

for (const [document, path, bad] of [
  ['JWK Set', '/jwks', badSets],
  ['metadata', metadataPath, badMetadata],
] as const) {
  const answers = { ...hostile, 'redirects to another origin': redirected, ...bad }
  suite(`an issuer whose ${document} is bad`, { concurrency: 8, timeout: 30_000 }, () => {
    for (const [name, answer] of Object.entries(answers)) {
      test(`an issuer whose ${document} ${name} is unavailable until it recovers`, async () => {
        await using both = await start({ timeout: 200 })
        const { issuer, app } = both
        const token = await issuer.token()
        issuer.on(path, answer)
        await assertUnavailable(app, token)
        issuer.handlers.delete(path)
        await recovery(app, token)
      })

      test(`known keys keep working if the ${document} of their issuer ${name}`, async () => {
        await using both = await start({ timeout: 200 })
        const { issuer, app } = both
        const token = await issuer.token()
        await recovery(app, token)
        issuer.on(path, answer)
        const asked = (): number => issuer.requests.filter((requested) => requested === path).length
        // When the third request arrives, the second one has ended: it was the first with a bad answer.
        await until(async () => {
          assert.equal((await call(app, token)).statusCode, 200)
          return asked() >= 3
        })
        await assertUnavailable(app, await issuer.token({ key: newKey }))
      })
    }
  })
}

suite('rotation', () => {
  test('a new key works at once', async () => {
    await using both = await start({ refreshInterval: 300_000 })
    const { issuer, app } = both
    assert.equal((await call(app, await issuer.token())).statusCode, 200)
    issuer.keys = [key.jwk, newKey.jwk]
    assert.equal((await call(app, await issuer.token({ key: newKey }))).statusCode, 200)
    assert.equal(issuer.fetches, 2)
  })

  test('a removed key is refused, also for tokens that were accepted before', async () => {
    await using both = await start()
    const { issuer, app } = both
    const token = await issuer.token()
    assert.equal((await call(app, token)).statusCode, 200)
    issuer.keys = [newKey.jwk]
    const removedAt = performance.now()
    while ((await call(app, token)).statusCode === 200) {
      assert.ok(performance.now() - removedAt < 10_000)
    }
    assert.equal((await call(app, token)).statusCode, 401)
    assert.equal((await call(app, await issuer.token({ key: newKey }))).statusCode, 200)
  })

  test('one hundred first requests at once cause one fetch', async () => {
    await using both = await start({ refreshInterval: 300_000 })
    const { issuer, app } = both
    const token = await issuer.token()
    const responses = await Promise.all(Array.from({ length: 100 }, () => call(app, token)))
    assert.deepEqual(new Set(responses.map(({ statusCode }) => statusCode)), new Set([200]))
    assert.deepEqual(issuer.requests, [metadataPath, '/jwks'])
  })

  test('one hundred unknown kids cause two fetches', async () => {
    await using both = await start({ refreshInterval: 300_000 })
    const { issuer, app } = both
    await call(app, await issuer.token())
    for (let index = 0; index < 100; index += 1) {
      const response = await call(app, await issuer.token({ header: { kid: `unknown ${index}` } }))
      assert.equal(response.statusCode, 401)
    }
    assert.equal(issuer.fetches, 3)
  })
})

suite('the URL of the keys', () => {
  test('the keys may be on another host than the issuer', async () => {
    await using both = await start()
    const { issuer, app } = both
    await using host = await LocalIssuer.start({ key: newKey })
    issuer.on(metadataPath, { issuer: issuer.issuer, jwks_uri: host.jwksUri })
    assert.equal((await call(app, await issuer.token({ key: newKey }))).statusCode, 200)
    assert.equal(issuer.fetches, 0)
    assert.equal(host.fetches, 1)
  })

  test('the keys are found again after the issuer moves them', async () => {
    await using both = await start()
    const { issuer, app } = both
    const token = await issuer.token()
    assert.equal((await call(app, token)).statusCode, 200)
    issuer.on('/moved', { keys: [newKey.jwk] })
    issuer.on(metadataPath, { issuer: issuer.issuer, jwks_uri: `${issuer.origin}/moved` })
    assert.equal((await call(app, await issuer.token({ key: newKey }))).statusCode, 200)
  })
})

suite('the limits and the dispatcher', () => {
  test('an answer longer than maxResponseSize makes the issuer unavailable', async () => {
    for (const path of ['/jwks', metadataPath]) {
      await using both = await start({ maxResponseSize: 1_000 })
      const { issuer, app } = both
      const padding = ' '.repeat(1_000)
      issuer.on(path, path === '/jwks' ? { keys: issuer.keys, padding } : { ...issuer.metadata, padding })
      await assertUnavailable(app, await issuer.token())
      issuer.handlers.delete(path)
      assert.equal((await call(app, await issuer.token())).statusCode, 200)
    }
  })

  test('metadata and keys are fetched through the dispatcher of the options', async () => {
    const paths: string[] = []
    const dispatcher: Dispatcher = {
      dispatch(options: { path: string }, handler: never) {
        paths.push(options.path)
        return agent.dispatch(options as never, handler)
      },
    }
    await using both = await start({ dispatcher })
    assert.equal((await call(both.app, await both.issuer.token())).statusCode, 200)
    assert.deepEqual(paths, [metadataPath, '/jwks'])
  })

  test('keys are fetched by an undici agent of the application', async (t) => {
    await using both = await start()
    const connected: unknown[] = []
    const agent = new Agent()
    agent.on('connect', (origin) => connected.push(String(origin)))
    const app = await createApp({
      issuer: both.issuer.issuer,
      audience: 'api',
      jwks: { dispatcher: agent },
    })
    t.after(() => Promise.all([app.close(), agent.close()]))
    assert.equal((await call(app, await both.issuer.token())).statusCode, 200)
    assert.deepEqual([...new Set(connected)], [`${both.issuer.origin}/`])
  })

  test('the timeout holds for a dispatcher without timeouts', async (t) => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, connectTimeout: 0 })
    const app = await createApp({
      issuer: 'x',
      jwksUri: `http://127.0.0.1:${port}/jwks`,
      audience: 'api',
      jwks: { dispatcher, timeout: 50 },
    })
    t.after(async () => {
      await app.close()
      await dispatcher.destroy()
      silent.close()
    })
    await assertUnavailable(app, await elsewhere.token({ claims: { iss: 'x' } }))
  })
})

suite('start and end of the server', () => {
  test('nothing is fetched before the first token', async () => {
    await using both = await start()
    await both.app.ready()
    assert.deepEqual(both.issuer.requests, [])
  })

  test('with prefetch the keys are fetched before the server is ready', async () => {
    await using both = await start({ prefetch: true, refreshInterval: 300_000 })
    const { issuer, app } = both
    await app.ready()
    assert.equal(issuer.fetches, 1)
    assert.equal((await call(app, await issuer.token())).statusCode, 200)
    assert.equal(issuer.fetches, 1)
  })

  test('with prefetch the server is not ready if the keys can not be fetched', async () => {
    await using both = await start({ prefetch: true })
    const { issuer, app } = both
    issuer.on('/jwks', sendJson({ error: bodyText }, 502))
    await assert.rejects(
      async () => app.ready(),
      new Error(`fastify-jwks-auth: no keys of ${issuer.issuer}: HTTP 502`),
    )
  })

  test(
    'closing the server ends a hanging fetch at once and answers the requests that wait for it',
    { timeout: 10_000 },
    async () => {
      await using both = await start({ timeout: 60_000 })
      const { issuer, app } = both
      const origin = await app.listen({ port: 0, host: '127.0.0.1' })
      const asked = new Promise<Parameters<Handler>[0]>((resolve) => issuer.on('/jwks', resolve))
      const headers = { authorization: `Bearer ${await issuer.token()}` }
      const response = fetch(`${origin}/secured`, { headers })
      const { socket } = await asked
      const ended = once(socket, 'close')
      await app.close()
      await ended
      assert.equal((await response).status, 503)
    },
  )
})

suite('an issuer without a connection', () => {
  test('an issuer that refuses connections is unavailable until it accepts them', async () => {
    const gone = await LocalIssuer.start({ key })
    const { port, jwksUri } = gone
    const token = await gone.token()
    await gone.close()
    const app = await createApp({ issuer: gone.issuer, audience: 'api', jwksUri })
    await assertUnavailable(app, token)
    await using back = await LocalIssuer.start({ key, port })
    await recovery(app, token)
    assert.equal(back.fetches, 1)
    await app.close()
  })

  for (const [name, origin] of [
    ['whose host name is unknown', async () => 'https://nope.invalid'],
    ['that does not speak TLS', async () => elsewhere.origin.replace('http:', 'https:')],
  ] as const) {
    test(`an issuer ${name} is unavailable`, async () => {
      const issuer = await origin()
      const app = await createApp({ issuer, audience: 'api' })
      await assertUnavailable(app, await elsewhere.token({ claims: { iss: issuer } }))
      await app.close()
    })
  }
})

test(
  'a process ends by itself after outages of every kind, without an unhandled rejection',
  { timeout: 60_000 },
  async (t) => {
    const program = join(import.meta.dirname, 'outages.ts')
    const child = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['ignore', 'pipe', 'pipe'] })
    t.after(() => child.kill())
    const [output, errors, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null]>,
    ])
    t.assert.equal(errors, '')
    t.assert.equal(code, 0)
    const lines = output.trim().split('\n')
    t.assert.equal(lines.at(-1), 'closed')
    const statuses = lines.slice(0, -1)
    t.assert.equal(statuses.length, (Object.keys(hostile).length + 1) * 3)
    t.assert.deepEqual(new Set(statuses), new Set(['503']))
  },
)

test('redirects send no request to another origin', () => {
  assert.deepEqual(elsewhere.requests, [])
})
