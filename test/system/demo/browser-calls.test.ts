import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { call, embedded, logIn, open, skip, startDemo, type TestDemo } from '../../helpers/chromium.ts'
import { publicBody, securedBody } from '../../helpers/demo-words.ts'

/** The parameter of every challenge of the demo. */
function metadataOf({ api }: TestDemo): string {
  return `resource_metadata="${api}/.well-known/oauth-protected-resource"`
}

/** The challenge of the second scheme, which follows that of Bearer. */
function dpopChallenge(demo: TestDemo): string {
  return `DPoP realm="api", algs="ES256", ${metadataOf(demo)}`
}

function refusal(code: string, description: string): string {
  return JSON.stringify({ code, description }, null, 2)
}

suite('calls from the page to the API', { skip }, () => {
  test('the page can call the API with every kind of token', async (t) => {
    const page = await open(t)
    const demo = await startDemo(t)
    await logIn(page, demo)

    await t.test('the browser sends a preflight before a request with a token', async (t) => {
      await call(page, 'Your token', '/secured/ping')
      const [preflight, request, ...rest] = demo.seen
      const { page: origin } = demo
      const url = '/secured/ping'
      const asked = 'authorization'
      t.assert.deepEqual(preflight, { method: 'OPTIONS', url, origin, authorization: undefined, asked })
      t.assert.match(request?.authorization ?? '', /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/)
      t.assert.deepEqual([request?.method, request?.url, request?.origin], ['GET', url, origin])
      t.assert.deepEqual(rest, [])
    })

    const metadata = metadataOf(demo)
    const invalid = `Bearer realm="api", error="invalid_token", ${metadata}, ${dpopChallenge(demo)}`
    const missing = refusal('authorization_header_missing', 'Authorization header is expected')
    const forged = refusal('token_invalid_signature', 'token signature is invalid')
    const expired = refusal('token_expired', 'token is expired')
    const rows: [token: string, status: string, challenge: string | undefined, body: string][] = [
      ['No token', '401 Unauthorized', `Bearer realm="api", ${metadata}, ${dpopChallenge(demo)}`, missing],
      ['Your token', '200 OK', undefined, securedBody],
      ['Tampered token', '401 Unauthorized', invalid, forged],
      ['Expired token', '401 Unauthorized', invalid, expired],
    ]
    for (const [token, status, challenge, body] of rows) {
      await t.test(`the page shows status, challenge and body of a request with: ${token}`, async (t) => {
        const answer = await call(page, token, '/secured/ping')
        const sent = token.toLowerCase()
        t.assert.equal(answer.request, `GET /secured/ping ${sent}`)
        t.assert.deepEqual([answer.status, answer.challenge, answer.body], [status, challenge, body])
        const spoken = await page.locator('#spoken').innerText()
        t.assert.equal(spoken, `GET /secured/ping with ${sent}: ${status}. ${answer.why}`)

        const open = await call(page, token, '/ping')
        t.assert.deepEqual([open.status, open.challenge, open.body], ['200 OK', undefined, publicBody])
      })
    }
  })

  test('the browser sends no preflight before a request without a token', async (t) => {
    const page = await open(t)
    const demo = await startDemo(t)
    await page.goto(demo.page)
    await call(page, 'No token', '/secured/ping')
    t.assert.deepEqual(
      demo.seen.map(({ method }) => method),
      ['GET'],
    )
  })

  test('the page reports an API that is down below the buttons, and an issuer that is down above its button', async (t) => {
    // The browser logs this error itself. A page can't prevent that.
    const page = await open(t, {}, /ERR_CONNECTION_REFUSED/)
    const demo = await startDemo(t)
    await page.goto(demo.page)
    await demo.app.close()
    await page.getByRole('button', { name: 'GET /ping' }).click()
    await page.locator('#call + .notice', { hasText: `No answer from ${demo.api}.` }).waitFor()

    const issuer = embedded(demo)
    await issuer.close()
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.locator('#login .notice', { hasText: `No answer from ${issuer.options.issuer}.` }).waitFor()
  })
})

suite('calls from another origin', { skip }, () => {
  const withToken = { headers: { Authorization: 'Bearer x' } }

  test('a page of any origin can call the API and read its challenge by default', async (t) => {
    const page = await open(t)
    const demo = await startDemo(t)
    await page.goto(await foreignOrigin(t))
    t.assert.deepEqual(await page.evaluate(fetching(`${demo.api}/secured/ping`, withToken)), [
      401,
      `Bearer realm="api", error="invalid_token", ${metadataOf(demo)}, ${dpopChallenge(demo)}`,
    ])
  })

  test('the browser blocks a page whose origin is not in CORS_ORIGIN', async (t) => {
    const page = await open(t, {}, /blocked by CORS policy|ERR_FAILED/)
    const demo = await startDemo(t, { origins: ['https://app.example.com'] })
    await page.goto(await foreignOrigin(t))

    t.assert.equal(await page.evaluate(fetching(`${demo.api}/secured/ping`, withToken)), 'TypeError')
    t.assert.deepEqual(
      demo.seen.map(({ method }) => method),
      ['OPTIONS'],
    )
    // A request without a preflight reaches the API, but the page can't read the response.
    t.assert.equal(await page.evaluate(fetching(`${demo.api}/ping`, {})), 'TypeError')
    t.assert.deepEqual(
      demo.seen.map(({ method }) => method),
      ['OPTIONS', 'GET'],
    )

    await t.test('the page of the demo is always allowed', async (t) => {
      await page.goto(demo.page)
      t.assert.equal((await call(page, 'No token', '/ping')).status, '200 OK')
      t.assert.equal((await call(page, 'Expired token', '/ping')).status, '200 OK')
    })
  })

  test('a page of another origin cannot exchange a code of the page for a token', async (t) => {
    const page = await open(t, {}, /blocked by CORS policy|ERR_FAILED/)
    const issuer = embedded(await startDemo(t))
    await page.goto(await foreignOrigin(t))
    const body = `grant_type=authorization_code&code=x&client_id=${issuer.spaClientId}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const posted = fetching(issuer.tokenEndpoint, { method: 'POST', headers, body })
    t.assert.equal(await page.evaluate(posted), 'TypeError')
  })
})

/** Starts a server with an empty page and returns its origin. */
async function foreignOrigin(t: TestContext): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><link rel="icon" href="data:,">')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An expression for `page.evaluate`. It returns the status and challenge of the response, or the name of the error. */
function fetching(url: string, init: object): string {
  return `fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).then(
    (response) => [response.status, response.headers.get('www-authenticate')],
    (error) => error.name,
  )`
}
