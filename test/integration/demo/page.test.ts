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
  const [, page] = /^To try it in a browser, open (http:\S+)$/m.exec(demo.stdout) ?? []
  return { demo, api, page }
}

async function takePort(t: TestContext, port = 0): Promise<number> {
  const server = createServer().listen(port, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

suite('the page of the demo', { concurrency: 2 }, () => {
  test('the content security policy of the page allows its own files, the API and the issuer, and nothing inline', async (t) => {
    const demo = await start(embedded)
    t.after(() => demo.close())
    if (!('tokenEndpoint' in demo.issuer)) throw new Error('expected the embedded issuer')
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

  test('the page server has the files that the page refers to, and no others', async (t) => {
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

  test('the page redirects from localhost to its own origin', async (t) => {
    const demo = await start(embedded)
    t.after(() => demo.close())
    const url = demo.page!.replace('127.0.0.1', 'localhost')
    const { status, headers } = await fetch(url, { redirect: 'manual' })
    t.assert.deepEqual([status, headers.get('location')], [302, demo.page])
  })

  test('the page uses another port if its default port is taken', async (t) => {
    await takePort(t, 8001).catch(() => {})
    const { page, demo } = await run(t, { PAGE_PORT: '' })
    t.assert.notEqual(page, undefined)
    t.assert.notEqual(page, 'http://127.0.0.1:8001')
    t.assert.equal((await fetch(page!)).status, 200)
    t.assert.deepEqual(await demo.stop('SIGTERM'), { code: 0, signal: null })
  })

  test('a taken PAGE_PORT is reported in one line with exit code 1', async (t) => {
    const port = await takePort(t)
    const demo = new Demo({ PAGE_PORT: String(port) })
    t.assert.deepEqual(await demo.ended, { code: 1, signal: null })
    t.assert.equal(demo.stdout, '')
    t.assert.equal(demo.stderr, `Port ${port} is already in use. Set PAGE_PORT to another port.\n`)
  })

  test('with AUTH0_SPA_CLIENT_ID the demo has a page that requests the audience of the API', async (t) => {
    const { page, api, demo } = await run(t, { ...tenant, AUTH0_SPA_CLIENT_ID: 'my-page' })
    t.assert.deepEqual(await (await fetch(`${page}/settings.json`)).json(), {
      api,
      issuer: 'https://tenant.example.com/',
      clientId: 'my-page',
      authorize: { scope: 'openid', audience: 'my-api' },
    })
    t.assert.equal(demo.stderr, '')
  })

  test('without AUTH0_SPA_CLIENT_ID an Auth0 tenant has no page, and the demo prints how to get one', async (t) => {
    const { page, demo } = await run(t, tenant)
    t.assert.equal(page, undefined)
    t.assert.match(demo.stdout, /^To try it in a browser, set AUTH0_SPA_CLIENT_ID \(see \.env\.example\)\.$/m)
  })

  test('with ISSUER the demo has no page and does not mention one', async (t) => {
    const { page, demo } = await run(t, { ISSUER: 'https://id.example.com', API_ID: 'my-api' })
    t.assert.equal(page, undefined)
    t.assert.equal(/page|browser/i.test(demo.stdout), false)
  })
})

const embedded = { port: 0, pagePort: 0 }

test('error pages of the embedded issuer keep the status of the error and contain no script', async (t) => {
  const demo = await start(embedded)
  t.after(() => demo.close())
  if (!('tokenEndpoint' in demo.issuer)) throw new Error('expected the embedded issuer')
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

test('the expired token of the embedded issuer is valid except for its times', async (t) => {
  const demo = await start(embedded)
  t.after(() => demo.close())
  if (!('tokenEndpoint' in demo.issuer)) throw new Error('expected the embedded issuer')
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
