import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { call, embedded, logIn, open, skip, startDemo } from '../../helpers/chromium.ts'
import { forAll, forSome } from '../../helpers/demo-words.ts'

const invalid = 'Bearer realm="api", error="invalid_token"'

function refusal(code: string, description: string): string {
  return JSON.stringify({ code, description }, null, 2)
}

suite('calls of the API by the page', { skip }, () => {
  test('the page calls the API with tokens of every kind', async (t) => {
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

    const missing = refusal('authorization_header_missing', 'Authorization header is expected')
    const forged = refusal('token_invalid_signature', 'token signature is invalid')
    const late = refusal('token_expired', 'token is expired')
    const rows: [token: string, sent: string, status: string, challenge: string, body: string][] = [
      ['No token', 'without a token', '401 Unauthorized', 'Bearer realm="api"', missing],
      ['Your token', 'with your token', '200 OK', 'none', forSome],
      ['Tampered token', 'with a tampered token', '401 Unauthorized', invalid, forged],
      ['Expired token', 'with an expired token', '401 Unauthorized', invalid, late],
    ]
    for (const [token, sent, status, challenge, body] of rows) {
      await t.test(`the page shows status, challenge and body of a request ${sent}`, async (t) => {
        const answer = await call(page, token, '/secured/ping')
        t.assert.deepEqual(answer, { request: `GET /secured/ping${sent}`, status, challenge, body })
        const spoken = await page.locator('#spoken').innerText()
        t.assert.equal(spoken.replace(/\d+ ms$/, ''), `GET /secured/ping ${sent}: ${status}, `)

        const open = await call(page, token, '/ping')
        t.assert.deepEqual([open.status, open.challenge, open.body], ['200 OK', 'none', forAll])
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

  test('the page says that the API gives no answer if it is down', async (t) => {
    // The browser writes this line to the console, and the page can't prevent it.
    const page = await open(t, {}, /ERR_CONNECTION_REFUSED/)
    const demo = await startDemo(t)
    await page.goto(demo.page)
    await demo.app.close()
    await page.getByRole('button', { name: 'GET /ping', exact: true }).click()
    await page.getByText(`No answer from ${demo.api}`).waitFor()
  })
})

suite('a page of another origin', { skip }, () => {
  const withToken = { headers: { Authorization: 'Bearer x' } }

  test('a page of another origin may call the API and read its challenge if no origins are configured', async (t) => {
    const page = await open(t)
    const { api } = await startDemo(t)
    await page.goto(await foreignOrigin(t))
    t.assert.deepEqual(await page.evaluate(fetching(`${api}/secured/ping`, withToken)), [401, invalid])
  })

  test("a page of another origin is refused by the browser if CORS_ORIGIN doesn't name it", async (t) => {
    const page = await open(t, {}, /blocked by CORS policy|ERR_FAILED/)
    const demo = await startDemo(t, { origins: ['https://app.example.com'] })
    await page.goto(await foreignOrigin(t))

    t.assert.equal(await page.evaluate(fetching(`${demo.api}/secured/ping`, withToken)), 'TypeError')
    t.assert.deepEqual(
      demo.seen.map(({ method }) => method),
      ['OPTIONS'],
    )
    // A request without a preflight arrives, but the page can't read its answer.
    t.assert.equal(await page.evaluate(fetching(`${demo.api}/ping`, {})), 'TypeError')
    t.assert.deepEqual(
      demo.seen.map(({ method }) => method),
      ['OPTIONS', 'GET'],
    )

    await t.test('the page of the demo is allowed without being named', async (t) => {
      await page.goto(demo.page)
      t.assert.equal((await call(page, 'No token', '/ping')).status, '200 OK')
      t.assert.equal((await call(page, 'Expired token', '/ping')).status, '200 OK')
    })
  })

  test('a page of another origin gets no token for a code, although it knows the client', async (t) => {
    const page = await open(t, {}, /blocked by CORS policy|ERR_FAILED/)
    const issuer = embedded(await startDemo(t))
    await page.goto(await foreignOrigin(t))
    const body = `grant_type=authorization_code&code=x&client_id=${issuer.spaClientId}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const posted = fetching(issuer.tokenEndpoint, { method: 'POST', headers, body })
    t.assert.equal(await page.evaluate(posted), 'TypeError')
  })
})

/** Serves an empty page of another origin. */
async function foreignOrigin(t: TestContext): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><link rel="icon" href="data:,">')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Code for the page: it returns status and challenge of an answer, or the name of the error. */
function fetching(url: string, init: object): string {
  return `fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).then(
    (response) => [response.status, response.headers.get('www-authenticate')],
    (error) => error.name,
  )`
}
