import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify } from 'jose'
import { start } from '../../../demo/start.ts'
import { Demo } from '../../helpers/demo-process.ts'

const tenant = { AUTH0_DOMAIN: 'tenant.example.com', API_ID: 'my-api' }

async function run(t: TestContext, ...settings: ConstructorParameters<typeof Demo>) {
  const demo = new Demo(...settings)
  t.after(() => demo.stop('SIGKILL'))
  const api = await demo.ready()
  const [, page] = /^In a browser: (http:\S+)$/m.exec(demo.stdout) ?? []
  return { demo, api, page }
}

async function takePort(t: TestContext, port = 0): Promise<number> {
  const server = createServer().listen(port, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

suite('the page', { concurrency: 2 }, () => {
  test('its policy allows its own files, the API and the issuer, and nothing inline', async (t) => {
    const demo = await start(embedded)
    t.after(() => demo.close())
    if (!('tokenEndpoint' in demo.issuer)) throw new Error('it is the embedded issuer')
    const { issuer } = demo.issuer.options
    for (const path of ['/', '/app.js', '/settings.json', '/nowhere', '/../../package.json', '/?code=x']) {
      const { headers } = await fetch(demo.page + path)
      t.assert.equal(
        headers.get('content-security-policy'),
        `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ${demo.api} ${issuer}; ` +
          "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
      )
      t.assert.equal(headers.get('x-content-type-options'), 'nosniff')
      t.assert.equal(headers.get('referrer-policy'), 'no-referrer')
      t.assert.equal(headers.get('cache-control'), 'no-store')
    }
  })

  test('every file that it names is there, and no other', async (t) => {
    const demo = await start(embedded)
    t.after(() => demo.close())
    const html = await (await fetch(demo.page!)).text()
    const named = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path]) => path!)
    t.assert.equal(named.length > 4, true)
    for (const path of [...named, '/oauth4webapi.js']) {
      t.assert.equal((await fetch(demo.page + path)).status, 200, path)
    }
    for (const path of ['/index.html', '/tsconfig.json', '/..%2fconfig.ts', '/constructor']) {
      t.assert.equal((await fetch(demo.page + path)).status, 404, path)
    }
  })

  test('under the name localhost it leads to its own origin', async (t) => {
    const demo = await start(embedded)
    t.after(() => demo.close())
    const url = demo.page!.replace('127.0.0.1', 'localhost')
    const { status, headers } = await fetch(url, { redirect: 'manual' })
    t.assert.deepEqual([status, headers.get('location')], [302, demo.page])
  })

  test('a port that nobody asked for need not be free', async (t) => {
    await takePort(t, 8001).catch(() => {})
    const { page, demo } = await run(t, { PAGE_PORT: '' })
    t.assert.notEqual(page, undefined)
    t.assert.notEqual(page, 'http://127.0.0.1:8001')
    t.assert.equal((await fetch(page!)).status, 200)
    t.assert.deepEqual(await demo.stop('SIGTERM'), { code: 0, signal: null })
  })

  test('PAGE_PORT that is taken is one line and exit code 1', async (t) => {
    const port = await takePort(t)
    const demo = new Demo({ PAGE_PORT: String(port) })
    t.assert.deepEqual(await demo.ended, { code: 1, signal: null })
    t.assert.equal(demo.stdout, '')
    t.assert.equal(demo.stderr, `Port ${port} is taken: set PAGE_PORT to another one.\n`)
  })

  test('a tenant with AUTH0_SPA_CLIENT_ID has a page that asks for the API by its audience', async (t) => {
    const { page, api, demo } = await run(t, { ...tenant, AUTH0_SPA_CLIENT_ID: 'my-page' })
    t.assert.deepEqual(await (await fetch(`${page}/settings.json`)).json(), {
      api,
      issuer: 'https://tenant.example.com/',
      clientId: 'my-page',
      authorize: { scope: 'openid', audience: 'my-api' },
    })
    t.assert.equal(demo.stderr, '')
  })

  test('a tenant without it has none, and a line says how to get one', async (t) => {
    const { page, demo } = await run(t, tenant)
    t.assert.equal(page, undefined)
    t.assert.match(demo.stdout, /^With AUTH0_SPA_CLIENT_ID there is a page to try it in a browser\.$/m)
  })

  test('another issuer has none, and nothing is said about it', async (t) => {
    const { page, demo } = await run(t, { ISSUER: 'https://id.example.com', API_ID: 'my-api' })
    t.assert.equal(page, undefined)
    t.assert.equal(/page|browser/i.test(demo.stdout), false)
  })
})

const embedded = { port: 0, pagePort: 0, origins: undefined, own: undefined, spaClientId: undefined }

test("the issuer's errors keep their status, and its pages run no script", async (t) => {
  const demo = await start(embedded)
  t.after(() => demo.close())
  if (!('tokenEndpoint' in demo.issuer)) throw new Error('it is the embedded issuer')
  const { issuer } = demo.issuer.options
  for (const [path, status] of [
    ['/auth?client_id=nobody', 400],
    ['/interaction/unknown', 400],
    ['/nowhere', 404],
  ] as const) {
    const response = await fetch(issuer + path, { headers: { accept: 'text/html' } })
    t.assert.equal(response.status, status, path)
    t.assert.match(
      response.headers.get('content-security-policy') ?? '',
      /^default-src 'none'; script-src 'self'/,
    )
    t.assert.equal((await response.text()).includes('<script'), false)
  }
})

test('the expired token is what the issuer would have made, but for its time', async (t) => {
  const demo = await start(embedded)
  t.after(() => demo.close())
  if (!('tokenEndpoint' in demo.issuer)) throw new Error('it is the embedded issuer')
  const { issuer, audience } = demo.issuer.options
  const response = await fetch(`${issuer}/expired-token`)
  t.assert.equal(response.headers.get('access-control-allow-origin'), demo.page)
  const token = await response.text()

  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
  const expected = { issuer, audience, typ: 'at+jwt' }
  await t.assert.rejects(jwtVerify(token, keys, expected), errors.JWTExpired)
  const then = new Date((decodeJwt(token).exp! - 1) * 1000)
  await jwtVerify(token, keys, { ...expected, currentDate: then })
})
