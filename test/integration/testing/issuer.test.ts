import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import { createTestIssuer, createTestKey } from '../../../lib/testing/index.ts'
import { call, createApp } from '../../helpers/app.ts'
import { get } from './get.ts'

suite('a test issuer', () => {
  test('a test issuer can be discovered under any path', async (t) => {
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

  test('a test key has only public members in its JWK', async (t) => {
    for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
      const { jwk } = createTestKey({ algorithm, kid: 'one' })
      const { kid, alg, use } = jwk
      t.assert.deepEqual({ kid, alg, use }, { kid: 'one', alg: algorithm, use: 'sig' })
      t.assert.equal('d' in jwk, false)
    }
  })

  test('a test issuer that is not closed does not keep the process running', async (t) => {
    const testing = new URL('../../../lib/testing/index.ts', import.meta.url).href
    const program = `
      const { createTestIssuer } = await import('${testing}')
      const issuer = await createTestIssuer()
      console.log(await (await fetch(issuer.jwksUri)).text())`
    const node = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const { stdout } = await promisify(execFile)(process.execPath, node, { timeout: 30_000 })
    t.assert.match(stdout, /"keys"/)
  })

  test('a test issuer listens on 127.0.0.1 only, on the given port', async (t) => {
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

  test('a test issuer records all requests and counts those for its JWK Set', async (t) => {
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

  test('a handler of a test issuer responds to its path with any query', async (t) => {
    await using issuer = await createTestIssuer()
    issuer.handlers.set('/userinfo', (_request, response) => response.end('{"name":"Some One"}'))
    t.assert.deepEqual(await get(`${issuer.issuer}/userinfo?a=b`), { name: 'Some One' })
    issuer.handlers.set('/jwks', (_request, response) => response.writeHead(500).end())
    t.assert.equal(await get(issuer.jwksUri), 500)
    issuer.handlers.clear()
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [issuer.key.jwk] })
  })

  test('a test issuer publishes the keys that a test adds or assigns', async (t) => {
    await using issuer = await createTestIssuer()
    const { jwk } = issuer.key
    issuer.keys.push({ kty: 'oct' })
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [jwk, { kty: 'oct' }] })
    issuer.keys = [{ ...jwk, use: 'enc' }]
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: [{ ...jwk, use: 'enc' }] })
  })

  test('two test issuers can share a key', async (t) => {
    const key = createTestKey()
    await using one = await createTestIssuer({ key })
    await using two = await createTestIssuer({ key })
    t.assert.equal(one.key, two.key)
    await using app = await createApp(two.options)
    t.assert.equal((await call(app, one.token({ iss: two.issuer }))).statusCode, 200)
  })
})
