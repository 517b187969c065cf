import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import { createTestIssuer, createTestKey, type TestIssuer } from '../../../lib/testing/index.ts'
import { call, createApp, verdict } from '../../helpers/app.ts'
import { until } from '../../helpers/issuer.ts'

suite('a test issuer', () => {
  test('a test issuer is found by discovery, with its path', async (t) => {
    for (const path of ['', '/', '/realms/acme', '/realms/acme/']) {
      await using issuer = await createTestIssuer({ path })
      t.assert.equal(issuer.issuer.endsWith(path), true)
      const discovery = `${issuer.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
      t.assert.deepEqual(await get(discovery), { issuer: issuer.issuer, jwks_uri: issuer.jwksUri })
      t.assert.deepEqual(await get(issuer.jwksUri), { keys: [issuer.key.jwk] })
      await using app = await createApp(issuer.options)
      t.assert.equal((await call(app, issuer.token())).statusCode, 200)
    }
  })

  test('a test key has no private members in its JWK', async (t) => {
    for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
      const { jwk } = createTestKey({ algorithm, kid: 'one' })
      const { kid, alg, use } = jwk
      t.assert.deepEqual({ kid, alg, use }, { kid: 'one', alg: algorithm, use: 'sig' })
      t.assert.equal('d' in jwk, false)
    }
  })

  test('a test issuer listens on 127.0.0.1 only, on the port of its options', async (t) => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    await t.assert.rejects(createTestIssuer({ port }), { code: 'EADDRINUSE' })
    probe.close()
    await once(probe, 'close')
    await using issuer = await createTestIssuer({ port })
    t.assert.equal(issuer.issuer, `http://127.0.0.1:${port}`)
    await t.assert.rejects(fetch(`http://127.0.0.2:${port}/jwks`))
  })

  test('a test issuer lists its requests and counts the fetches of its keys', async (t) => {
    await using issuer = await createTestIssuer()
    await using app = await createApp(issuer.options)
    await call(app, issuer.token())
    await call(app, issuer.token())
    t.assert.deepEqual(issuer.requests, ['/.well-known/openid-configuration', '/jwks'])
    t.assert.equal(issuer.fetches, 1)
    t.assert.equal(await get(`${issuer.issuer}/elsewhere?a=b`), 404)
    t.assert.deepEqual(issuer.requests.slice(2), ['/elsewhere?a=b'])
    t.assert.equal(issuer.fetches, 1)
  })

  test('a test issuer answers paths with the handlers of the test, with any query', async (t) => {
    await using issuer = await createTestIssuer()
    issuer.handlers.set('/userinfo', (_request, response) => response.end('{"name":"Some One"}'))
    t.assert.deepEqual(await get(`${issuer.issuer}/userinfo?a=b`), { name: 'Some One' })
    issuer.handlers.set('/jwks', (_request, response) => response.writeHead(500).end())
    t.assert.equal(await get(issuer.jwksUri), 500)
    issuer.handlers.clear()
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [issuer.key.jwk] })
  })

  test('a test issuer publishes the keys that the test puts into its JWK Set', async (t) => {
    await using issuer = await createTestIssuer()
    const { jwk } = issuer.key
    issuer.keys.push({ kty: 'oct' })
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [jwk, { kty: 'oct' }] })
    issuer.keys = [{ ...jwk, use: 'enc' }]
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [{ ...jwk, use: 'enc' }] })
  })

  test('two test issuers may have the same key', async (t) => {
    const key = createTestKey()
    await using one = await createTestIssuer({ key })
    await using two = await createTestIssuer({ key })
    t.assert.equal(one.key, two.key)
    await using app = await createApp(two.options)
    t.assert.equal((await call(app, one.token({ iss: two.issuer }))).statusCode, 200)
  })
})

suite('rotation of the keys of a test issuer', () => {
  async function start(): Promise<
    { issuer: TestIssuer; ask: (token: string) => Promise<number> } & AsyncDisposable
  > {
    const issuer = await createTestIssuer()
    const app = await createApp({ ...issuer.options, jwks: { cooldown: 0, refreshInterval: 1 } })
    return {
      issuer,
      ask: async (token) => (await call(app, token)).statusCode,
      async [Symbol.asyncDispose]() {
        await app.close()
        await issuer.close()
      },
    }
  }

  test('after a rotation a test issuer signs with a new key and still publishes the old one', async (t) => {
    await using started = await start()
    const { issuer, ask } = started
    const [old, token] = [issuer.key, issuer.token()]
    t.assert.equal(await ask(token), 200)
    t.assert.equal(issuer.rotate(), issuer.key)
    t.assert.notEqual(issuer.key.jwk.kid, old.jwk.kid)
    t.assert.deepEqual(issuer.keys, [old.jwk, issuer.key.jwk])
    t.assert.equal(await ask(issuer.token()), 200)
    t.assert.equal(await ask(token), 200)
    t.assert.equal(await ask(issuer.token({}, { key: old })), 200)
  })

  test('after a rotation with keepOld: false the tokens of the old key are refused', async (t) => {
    await using started = await start()
    const { issuer, ask } = started
    const token = issuer.token()
    const other = issuer.token({}, { algorithm: 'ES384' })
    t.assert.deepEqual([await ask(token), await ask(other)], [200, 200])
    issuer.rotate({ keepOld: false, algorithm: 'EdDSA' })
    t.assert.equal(await ask(issuer.token()), 200)
    t.assert.deepEqual([await ask(token), await ask(other)], [401, 401])
    t.assert.equal(await ask(issuer.token({}, { algorithm: 'ES384' })), 200)
    t.assert.deepEqual(
      issuer.keys.map(({ alg }) => alg),
      ['EdDSA', 'ES384'],
    )
  })

  test('the tokens of a removed key are refused', async (t) => {
    await using started = await start()
    const { issuer, ask } = started
    const old = issuer.key
    issuer.rotate()
    t.assert.equal(await ask(issuer.token({}, { key: old })), 200)
    issuer.remove(old.jwk.kid)
    await until(async () => (await ask(issuer.token({}, { key: old }))) === 401)
    t.assert.equal(await ask(issuer.token()), 200)
  })

  test('wrong arguments of rotate and remove are a TypeError', async (t) => {
    await using issuer = await createTestIssuer()
    const rotate = (options: unknown) => () => issuer.rotate(options as object)
    t.assert.throws(rotate(null), { name: 'TypeError', message: /"rotate" must be a plain object/ })
    t.assert.throws(rotate({ keep: true }), { name: 'TypeError', message: /"rotate\.keep" is unknown/ })
    t.assert.throws(rotate({ keepOld: 1 }), {
      name: 'TypeError',
      message: /"rotate\.keepOld" must be true or false/,
    })
    t.assert.throws(rotate({ algorithm: 'HS256' }), {
      name: 'TypeError',
      message: /"rotate\.algorithm" must be one of RS256, .*, EdDSA, Ed25519$/,
    })
    t.assert.throws(() => issuer.remove('unknown'), {
      name: 'TypeError',
      message: /"remove\.kid" must be the kid of a published key/,
    })
    t.assert.equal(issuer.keys.length, 1)
  })
})

const isRefused = ({ cause }: Error): boolean => (cause as { code?: string }).code === 'ECONNREFUSED'

suite('outages of a test issuer', () => {
  test('a test issuer that goes down refuses and ends connections until it comes back on its port', async (t) => {
    await using issuer = await createTestIssuer()
    await using app = await createApp(issuer.options)
    const { jwksUri } = issuer
    const asked = new Promise((resolve) => issuer.handlers.set('/hangs', resolve))
    const ended = t.assert.rejects(fetch(`${issuer.issuer}/hangs`))
    await asked
    await issuer.goDown()
    await ended
    await t.assert.rejects(fetch(jwksUri), isRefused)
    t.assert.equal(verdict(await call(app, issuer.token())).code, 'jwks_unavailable')
    await issuer.comeBack()
    t.assert.equal(issuer.jwksUri, jwksUri)
    t.assert.deepEqual(await get(jwksUri), { keys: [issuer.key.jwk] })
  })

  test('goDown and comeBack may be repeated, and calls without await take effect in their order', async (t) => {
    await using issuer = await createTestIssuer()
    await Promise.all([issuer.goDown(), issuer.goDown(), issuer.comeBack(), issuer.comeBack()])
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: issuer.keys })
    await Promise.all([issuer.goDown(), issuer.comeBack(), issuer.goDown()])
    await t.assert.rejects(fetch(issuer.jwksUri), isRefused)
  })

  test('comeBack fails while the port is taken and succeeds later', async (t) => {
    await using issuer = await createTestIssuer()
    await issuer.goDown()
    const other = createServer().listen(Number(new URL(issuer.issuer).port), '127.0.0.1')
    await once(other, 'listening')
    await t.assert.rejects(issuer.comeBack(), { code: 'EADDRINUSE' })
    other.close()
    await once(other, 'close')
    await issuer.comeBack()
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: issuer.keys })
  })
})

suite('the end of a test issuer', () => {
  test("a closed test issuer frees its port, can't come back and still makes tokens", async (t) => {
    const issuer = await createTestIssuer()
    await issuer.close()
    await issuer.close()
    await t.assert.rejects(fetch(issuer.jwksUri), isRefused)
    await t.assert.rejects(issuer.comeBack(), /fastify-jwks-auth: the test issuer is closed/)
    await issuer.goDown()
    t.assert.equal(issuer.token().split('.').length, 3)
  })

  test('a test issuer ends with the block of await using', async (t) => {
    let uri: string
    {
      await using issuer = await createTestIssuer()
      uri = issuer.jwksUri
      t.assert.deepEqual(await get(uri), { keys: issuer.keys })
    }
    await t.assert.rejects(fetch(uri), isRefused)
  })

  test('test issuers keep no process alive, neither forgotten ones nor one that is closed during a request', async (t) => {
    const testing = new URL('../../../lib/testing/index.ts', import.meta.url).href
    const program = `
      import { createTestIssuer } from '${testing}'
      const forgotten = await createTestIssuer()
      await fetch(forgotten.jwksUri).then((answer) => answer.json())
      const issuer = await createTestIssuer()
      issuer.handlers.set('/hangs', () => issuer.close())
      await fetch(issuer.jwksUri).then((answer) => answer.json())
      await fetch(issuer.issuer + '/hangs').catch(() => console.log('closed'))
    `
    const node = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const { stdout } = await promisify(execFile)(process.execPath, node, { timeout: 30_000 })
    t.assert.equal(stdout, 'closed\n')
  })
})

/** The JSON of an answer, or its status unless it is 200. */
async function get(url: string): Promise<unknown> {
  const response = await fetch(url)
  return response.status === 200 ? response.json() : response.status
}
