import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import {
  createTestIssuer,
  createTestKey,
  type TestIssuer,
  type TestIssuerOptions,
} from '../../lib/testing.ts'
import { call, createApp, verdict } from '../helpers/app.ts'

async function get(url: string): Promise<unknown> {
  const response = await fetch(url)
  return response.ok ? response.json() : response.status
}

const isRefused = ({ cause }: Error): boolean => (cause as { code?: string }).code === 'ECONNREFUSED'

suite('a test issuer', () => {
  test('is found by discovery, under its path', async (t) => {
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

  test('publishes public keys only', async (t) => {
    for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
      const { jwk } = createTestKey({ algorithm, kid: 'one' })
      const { kid, alg, use } = jwk
      t.assert.deepEqual({ kid, alg, use }, { kid: 'one', alg: algorithm, use: 'sig' })
      t.assert.equal('d' in jwk, false)
    }
  })

  test('listens on 127.0.0.1 alone, on the port that it is told', async (t) => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    await t.assert.rejects(createTestIssuer({ port }), { code: 'EADDRINUSE' })
    probe.close()
    await once(probe, 'close')
    await using issuer = await createTestIssuer({ port })
    t.assert.equal(issuer.issuer, `http://127.0.0.1:${port}`)
  })

  test('counts its requests, and the fetches of its keys among them', async (t) => {
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

  test('answers paths as it is told, with any query', async (t) => {
    await using issuer = await createTestIssuer()
    issuer.handlers.set('/userinfo', (_request, response) => response.end('{"name":"Some One"}'))
    t.assert.deepEqual(await get(`${issuer.issuer}/userinfo?a=b`), { name: 'Some One' })
    issuer.handlers.set('/jwks', (_request, response) => response.writeHead(500).end())
    t.assert.equal(await get(issuer.jwksUri), 500)
    issuer.handlers.clear()
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [issuer.key.jwk] })
  })

  test('publishes what a test puts into its JWK Set', async (t) => {
    await using issuer = await createTestIssuer()
    const { jwk } = issuer.key
    issuer.keys.push({ kty: 'oct' })
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [jwk, { kty: 'oct' }] })
    issuer.keys = [{ ...jwk, use: 'enc' }]
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [{ ...jwk, use: 'enc' }] })
  })

  test('takes a key that another has too', async (t) => {
    const key = createTestKey()
    await using one = await createTestIssuer({ key })
    await using two = await createTestIssuer({ key })
    t.assert.equal(one.key, two.key)
    await using app = await createApp(two.options)
    t.assert.equal((await call(app, one.token({ iss: two.issuer }))).statusCode, 200)
  })
})

suite('rotation', () => {
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

  test('signs with a new key, while the old one stays published', async (t) => {
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

  test('without the old one has its tokens refused', async (t) => {
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

  test('a removed key has its tokens refused', async (t) => {
    await using started = await start()
    const { issuer, ask } = started
    const old = issuer.key
    issuer.rotate()
    t.assert.equal(await ask(issuer.token({}, { key: old })), 200)
    issuer.remove(old.jwk.kid)
    await setTimeout(2)
    t.assert.equal(await ask(issuer.token()), 200)
    t.assert.equal(await ask(issuer.token({}, { key: old })), 401)
  })

  test('wrong arguments are told by a TypeError', async (t) => {
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

suite('an outage', () => {
  test('refuses connections and ends those that there are, until it comes back on its port', async (t) => {
    await using issuer = await createTestIssuer()
    await using app = await createApp(issuer.options)
    const { jwksUri } = issuer
    issuer.handlers.set('/hangs', () => {})
    const ended = t.assert.rejects(fetch(`${issuer.issuer}/hangs`))
    while (issuer.requests.length === 0) await setTimeout(1)
    await issuer.goDown()
    await ended
    await t.assert.rejects(fetch(jwksUri), isRefused)
    t.assert.equal(verdict(await call(app, issuer.token())).code, 'jwks_unavailable')
    await issuer.comeBack()
    t.assert.equal(issuer.jwksUri, jwksUri)
    t.assert.deepEqual(await get(jwksUri), { keys: [issuer.key.jwk] })
  })

  test('twice is one, and calls that are not waited for are obeyed in their order', async (t) => {
    await using issuer = await createTestIssuer()
    await Promise.all([issuer.goDown(), issuer.goDown(), issuer.comeBack(), issuer.comeBack()])
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: issuer.keys })
    await Promise.all([issuer.goDown(), issuer.comeBack(), issuer.goDown()])
    await t.assert.rejects(fetch(issuer.jwksUri), isRefused)
  })

  test('ends with an error while its port is taken, and can end later', async (t) => {
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
  test('frees its port, for good, and leaves tokens to be made', async (t) => {
    const issuer = await createTestIssuer()
    await issuer.close()
    await issuer.close()
    await t.assert.rejects(fetch(issuer.jwksUri), isRefused)
    await t.assert.rejects(issuer.comeBack(), /fastify-jwks-auth: the test issuer is closed/)
    await issuer.goDown()
    t.assert.equal(issuer.token().split('.').length, 3)
  })

  test('comes with its block', async (t) => {
    let uri: string
    {
      await using issuer = await createTestIssuer()
      uri = issuer.jwksUri
      t.assert.deepEqual(await get(uri), { keys: issuer.keys })
    }
    await t.assert.rejects(fetch(uri), isRefused)
  })

  test('leaves nothing that keeps a process alive, even while requests are open', async (t) => {
    const program = `
      import { createTestIssuer } from ${JSON.stringify(new URL('../../lib/testing.ts', import.meta.url))}
      const issuer = await createTestIssuer()
      issuer.handlers.set('/hangs', () => issuer.close())
      await fetch(issuer.jwksUri).then((answer) => answer.json())
      await fetch(issuer.issuer + '/hangs').catch(() => console.log(process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name))))
    `
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill())
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data.toString()))
    t.assert.deepEqual(await once(child, 'close'), [0, null])
    t.assert.equal(output.trim(), '[]')
  })
})

suite('wrong options', () => {
  const wrong: [options: unknown, message: RegExp][] = [
    [null, /"createTestIssuer" must be a plain object/],
    [{ audiense: 'api' }, /"createTestIssuer\.audiense" is unknown; known are audience, algorithm/],
    [{ audience: '' }, /"createTestIssuer\.audience" must be a non-empty string/],
    [{ audience: [] }, /"createTestIssuer\.audience" must be a list with at least one entry/],
    [{ audience: ['one', 2] }, /"createTestIssuer\.audience\[1\]" must be a non-empty string/],
    [{ algorithm: 'none' }, /"createTestIssuer\.algorithm" must be one of RS256, .*, HS512$/],
    [
      { algorithm: 'ES256', secret: 'a'.repeat(32) },
      /"createTestIssuer\.algorithm" must be HS256, HS384 or HS512 beside/,
    ],
    [
      { algorithm: 'ES256', key: createTestKey() },
      /"createTestIssuer\.algorithm" must not be given beside key/,
    ],
    [{ secret: '' }, /"createTestIssuer\.secret" must be text or bytes, at least 32 bytes long/],
    [{ secret: 'a'.repeat(31) }, /"createTestIssuer\.secret" must be text or bytes, at least 32 bytes long/],
    [
      { secret: new Uint8Array(31) },
      /"createTestIssuer\.secret" must be text or bytes, at least 32 bytes long/,
    ],
    [{ secret: 32 }, /"createTestIssuer\.secret" must be text or bytes, at least 32 bytes long/],
    [{ secret: 'a'.repeat(32), algorithm: 'HS512' }, /"createTestIssuer\.secret" .*, at least 64 bytes long/],
    [{ key: {} }, /"createTestIssuer\.key" must be a key of createTestKey/],
    [{ path: 'realms' }, /"createTestIssuer\.path" must begin with a slash and have no query/],
    [{ path: '/a?b' }, /"createTestIssuer\.path" must begin with a slash and have no query/],
    [{ path: null }, /"createTestIssuer\.path" must begin with a slash and have no query/],
    [{ port: -1 }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
    [{ port: 65_536 }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
    [{ port: '80' }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
  ]
  for (const [index, [options, message]] of wrong.entries()) {
    test(`of an issuer are told by a TypeError: ${message.source}, ${index}`, async (t) => {
      await t.assert.rejects(createTestIssuer(options as TestIssuerOptions), { name: 'TypeError', message })
    })
  }

  test('of a key are told by a TypeError', (t) => {
    const create = (options: unknown) => () => createTestKey(options as object)
    t.assert.throws(create(null), { name: 'TypeError', message: /"createTestKey" must be a plain object/ })
    t.assert.throws(create({ alg: 'ES256' }), {
      name: 'TypeError',
      message: /"createTestKey\.alg" is unknown/,
    })
    t.assert.throws(create({ kid: '' }), {
      name: 'TypeError',
      message: /"createTestKey\.kid" must be a non-empty/,
    })
    t.assert.throws(create({ algorithm: 'constructor' }), {
      name: 'TypeError',
      message: /"createTestKey\.algorithm" must be one of RS256, .*, EdDSA, Ed25519$/,
    })
  })
})
