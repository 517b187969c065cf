import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import { after, before, suite, test } from 'node:test'
import type { JwksOptions } from '../../../lib/index.ts'
import type { Dispatcher } from '../../../lib/jwks/fetch-json.ts'
import { call, createApp } from '../../helpers/app.ts'
import { globalDispatcher } from '../../helpers/dispatcher.ts'
import { bodyText, hostile, redirect } from '../../helpers/hostile.ts'
import { createKeyPair, sendJson, LocalIssuer, type Handler, type KeyPair } from '../../helpers/issuer.ts'

const metadataPath = '/.well-known/openid-configuration'

let key: KeyPair
let newKey: KeyPair
/** Another origin, where nobody has any business. */
let elsewhere: LocalIssuer
before(async () => {
  key = await createKeyPair('ES256', 'known')
  newKey = await createKeyPair('ES256', 'new')
  elsewhere = await LocalIssuer.start({ key })
  // A first fetch loads a lot, which is not to be taken for a slow issuer.
  await using both = await start()
  await call(both.app, await both.issuer.token())
})
after(async () => {
  await elsewhere.close()
})

/** An issuer and an application that asks it anew at almost every request. */
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

/** Waits for a recovery: on a busy machine even a good answer may be too late for so small a timeout. */
async function works(app: FastifyInstance, token: string): Promise<void> {
  const deadline = performance.now() + 10_000
  while ((await call(app, token)).statusCode !== 200) assert.ok(performance.now() < deadline)
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
  suite(`an issuer whose ${document} is no good`, { concurrency: 4, timeout: 30_000 }, () => {
    for (const [name, answer] of Object.entries(answers)) {
      test(`one that ${name} is unavailable until it recovers`, async () => {
        await using both = await start({ timeout: 200 })
        const { issuer, app } = both
        const token = await issuer.token()
        issuer.on(path, answer)
        await assertUnavailable(app, token)
        issuer.handlers.delete(path)
        await works(app, token)
      })

      test(`one that ${name} leaves the known keys working`, async () => {
        await using both = await start({ timeout: 200 })
        const { issuer, app } = both
        const token = await issuer.token()
        await works(app, token)
        issuer.on(path, answer)
        const asked = (): number => issuer.requests.filter((requested) => requested === path).length
        // The third request for it shows that the second one, the first in vain, has ended.
        const deadline = performance.now() + 10_000
        while (asked() < 3) {
          assert.equal((await call(app, token)).statusCode, 200)
          assert.ok(performance.now() < deadline)
        }
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

  test('a removed key is refused, and is so for tokens that were accepted before', async () => {
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

  test('one hundred first requests at once are one look-up', async () => {
    await using both = await start({ refreshInterval: 300_000 })
    const { issuer, app } = both
    const token = await issuer.token()
    const responses = await Promise.all(Array.from({ length: 100 }, () => call(app, token)))
    assert.deepEqual(new Set(responses.map(({ statusCode }) => statusCode)), new Set([200]))
    assert.deepEqual(issuer.requests, [metadataPath, '/jwks'])
  })

  test('one hundred unknown kids are two look-ups', async () => {
    await using both = await start({ refreshInterval: 300_000 })
    const { issuer, app } = both
    await call(app, await issuer.token())
    for (let index = 0; index < 100; index += 1) {
      const response = await call(app, await issuer.token({ header: { kid: `stranger ${index}` } }))
      assert.equal(response.statusCode, 401)
    }
    assert.equal(issuer.fetches, 3)
  })
})

suite('where the keys are', () => {
  test('they may be on another host than the issuer', async () => {
    await using both = await start()
    const { issuer, app } = both
    await using host = await LocalIssuer.start({ key: newKey })
    issuer.on(metadataPath, { issuer: issuer.issuer, jwks_uri: host.jwksUri })
    assert.equal((await call(app, await issuer.token({ key: newKey }))).statusCode, 200)
    assert.equal(issuer.fetches, 0)
    assert.equal(host.fetches, 1)
  })

  test('they are found again when the issuer moves them', async () => {
    await using both = await start()
    const { issuer, app } = both
    const token = await issuer.token()
    assert.equal((await call(app, token)).statusCode, 200)
    issuer.on('/moved', { keys: [newKey.jwk] })
    issuer.on(metadataPath, { issuer: issuer.issuer, jwks_uri: `${issuer.origin}/moved` })
    assert.equal((await call(app, await issuer.token({ key: newKey }))).statusCode, 200)
  })
})

suite('how the keys are fetched', () => {
  test('an answer over maxResponseSize is no answer', async () => {
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

  test('metadata and keys are fetched through the dispatcher', async () => {
    const paths: string[] = []
    const dispatcher: Dispatcher = {
      dispatch(options: { path: string }, handler: never) {
        paths.push(options.path)
        return globalDispatcher().dispatch(options as never, handler)
      },
    }
    await using both = await start({ dispatcher })
    assert.equal((await call(both.app, await both.issuer.token())).statusCode, 200)
    assert.deepEqual(paths, [metadataPath, '/jwks'])
  })
})

suite('the life of the server', () => {
  test('nothing is fetched before the first token', async () => {
    await using both = await start()
    await both.app.ready()
    assert.deepEqual(both.issuer.requests, [])
  })

  test('with prefetch the keys are there when the server is ready', async () => {
    await using both = await start({ prefetch: true, refreshInterval: 300_000 })
    const { issuer, app } = both
    await app.ready()
    assert.equal(issuer.fetches, 1)
    assert.equal((await call(app, await issuer.token())).statusCode, 200)
    assert.equal(issuer.fetches, 1)
  })

  test('with prefetch the server is not ready where there are no keys', async () => {
    await using both = await start({ prefetch: true })
    const { issuer, app } = both
    issuer.on('/jwks', sendJson({ error: bodyText }, 502))
    await assert.rejects(
      async () => app.ready(),
      new Error(`fastify-jwks-auth: no keys of ${issuer.issuer}: HTTP 502`),
    )
  })

  test(
    'closing it ends a hanging fetch at once, and answers who waits for it',
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

suite('an issuer that can not be connected to', () => {
  test('one that refuses connections is unavailable until it accepts them', async () => {
    const gone = await LocalIssuer.start({ key })
    const { port, jwksUri } = gone
    const token = await gone.token()
    await gone.close()
    const app = await createApp({ issuer: gone.issuer, audience: 'api', jwksUri })
    await assertUnavailable(app, token)
    await using back = await LocalIssuer.start({ key, port })
    await works(app, token)
    assert.equal(back.fetches, 1)
    await app.close()
  })

  for (const [name, origin] of [
    ['whose name is not known', async () => 'https://nope.invalid'],
    ['that speaks no TLS', async () => elsewhere.origin.replace('http:', 'https:')],
  ] as const) {
    test(`one ${name} is unavailable`, async () => {
      const issuer = await origin()
      const app = await createApp({ issuer, audience: 'api' })
      await assertUnavailable(app, await elsewhere.token({ claims: { iss: issuer } }))
      await app.close()
    })
  }
})

test('no other origin was ever asked', () => {
  assert.deepEqual(elsewhere.requests, [])
})
