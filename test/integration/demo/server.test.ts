import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { createRemoteJWKSet, decodeJwt, errors, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import type { Config } from '../../../demo/config.ts'
import { instructions } from '../../../demo/instructions.ts'
import type { EmbeddedIssuer } from '../../../demo/issuer.ts'
import { build } from '../../../demo/server.ts'
import { start, type Running } from '../../../demo/start.ts'
import { call, createApp } from '../../helpers/app.ts'
import { changedTokens } from '../../helpers/changed-tokens.ts'
import { publicBody } from '../../helpers/demo-words.ts'

async function startApi(t: TestContext, domain = 'tenant.example.com'): Promise<FastifyInstance> {
  const app = await build({ domain, audience: 'my-api' })
  t.after(() => app.close())
  return app
}

function securedPing(app: FastifyInstance, token: string) {
  return app.inject({ url: '/secured/ping', headers: { authorization: `Bearer ${token}` } })
}

/** Signs a token of the issuer with a key that is not the issuer's. */
function forge(issuer: string, alg = 'HS256', key: Parameters<SignJWT['sign']>[0] = randomBytes(32)) {
  return new SignJWT()
    .setProtectedHeader({ alg, kid: 'one' })
    .setIssuer(issuer)
    .setAudience('my-api')
    .setExpirationTime('1h')
    .sign(key)
}

suite('the API of the demo', () => {
  test('the public route of the demo needs no token', async (t) => {
    const response = await (await startApi(t)).inject('/ping')
    t.assert.equal(response.statusCode, 200)
    t.assert.equal(response.body, publicBody)
  })

  test('a refusal of the demo has a challenge and a body with a code and a description', async (t) => {
    const response = await securedPing(await startApi(t), 'no-token')
    t.assert.equal(response.statusCode, 401)
    t.assert.match(String(response.headers['www-authenticate']), /^Bearer realm="api", error="invalid_token"/)
    t.assert.deepEqual(response.json(), {
      code: 'invalid_header',
      description: 'Unable to parse authentication token.',
    })
  })

  test('the issuer of AUTH0_DOMAIN ends with a slash', async (t) => {
    const app = await startApi(t)
    const other = await securedPing(app, await forge('https://tenant.example.com'))
    t.assert.equal(other.json().code, 'invalid_claims')
    const own = await securedPing(app, await forge('https://tenant.example.com/'))
    t.assert.equal(own.json().code, 'invalid_algorithm')
  })

  test('a tenant that can not be reached is answered 503 with a code and a description', async (t) => {
    const domain = `localhost:${await freePort()}`

    const { privateKey } = await generateKeyPair('ES256')
    const response = await securedPing(
      await startApi(t, domain),
      await forge(`https://${domain}/`, 'ES256', privateKey),
    )
    t.assert.equal(response.statusCode, 503)
    t.assert.match(String(response.headers['retry-after']), /^[1-9]\d*$/)
    t.assert.deepEqual(Object.keys(response.json()), ['code', 'description'])
    t.assert.equal(response.json().code, 'jwks_unavailable')
  })

  test('an unknown route of the demo is answered 404 with a code and a description', async (t) => {
    const response = await (await startApi(t)).inject('/nowhere')
    t.assert.equal(response.statusCode, 404)
    t.assert.deepEqual(response.json(), { code: 'not_found', description: 'There is no such route' })
  })

  test('an unreadable URL is answered 400 with a code and a description', async (t) => {
    const response = await (await startApi(t)).inject('/%')
    t.assert.equal(response.statusCode, 400)
    t.assert.deepEqual(Object.keys(response.json()), ['code', 'description'])
  })

  test('an error of a route is answered 500 without its message', async (t) => {
    const app = await startApi(t)
    app.get('/fault', async () => {
      throw new Error('the password is 1234')
    })
    const response = await app.inject('/fault')
    t.assert.equal(response.statusCode, 500)
    t.assert.deepEqual(response.json(), { code: 'internal_error', description: 'Something went wrong' })
  })

  test('with CORS_ORIGIN the API allows the origins of the list and no others', async (t) => {
    const auth = { domain: 'tenant.example.com', audience: 'my-api' }
    const app = await build(auth, false, ['https://app.example.com', 'http://localhost:3000'])
    t.after(() => app.close())
    for (const [origin, allowed] of [
      ['https://app.example.com', 'https://app.example.com'],
      ['http://localhost:3000', 'http://localhost:3000'],
      ['https://app.example.com.evil.example', undefined],
      ['null', undefined],
    ] as const) {
      const preflight = { origin, 'access-control-request-method': 'GET' }
      for (const method of ['OPTIONS', 'GET'] as const) {
        const { headers } = await app.inject({ method, url: '/secured/ping', headers: preflight })
        t.assert.equal(headers['access-control-allow-origin'], allowed)
        t.assert.equal(headers.vary, 'Origin')
      }
    }
  })
})

const settings: Config = {
  port: 0,
  pagePort: 0,
  issuerPort: 0,
  origins: undefined,
  issuer: undefined,
  spaClientId: undefined,
}

suite('the page of the demo', () => {
  let demo: Running
  let issuer: EmbeddedIssuer['options']

  before(async () => {
    demo = await start(settings)
    if (!('tokenEndpoint' in demo.issuer)) throw new Error('the issuer is not the embedded one')
    issuer = demo.issuer.options
  })
  after(() => demo.close())

  async function startWith(t: TestContext, changes: Partial<Config>): Promise<Running> {
    const other = await start({ ...settings, ...changes })
    t.after(() => other.close())
    return other
  }

  test('the demo serves the metadata of its API, which names the issuer, and the page leads to it', async (t) => {
    const metadata = `${demo.api}/.well-known/oauth-protected-resource`
    t.assert.deepEqual(await (await fetch(metadata)).json(), {
      resource: demo.api,
      authorization_servers: [issuer.issuer],
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: ['ES256'],
    })
    const { headers } = await fetch(`${demo.api}/secured/ping`)
    t.assert.equal(
      headers.get('www-authenticate'),
      `Bearer realm="api", resource_metadata="${metadata}", DPoP realm="api", algs="ES256", resource_metadata="${metadata}"`,
    )
    t.assert.match(await (await fetch(`${demo.page}/`)).text(), /id="metadata"/)
    const script = await (await fetch(`${demo.page}/app.js`)).text()
    t.assert.equal(script.includes('/.well-known/oauth-protected-resource'), true)
  })

  test('the policy of the page allows its own files, the API and the issuer, and nothing inline', async (t) => {
    for (const path of ['/', '/app.js', '/settings.json', '/nowhere', '/../../package.json', '/?code=x']) {
      const { headers } = await fetch(demo.page + path)
      t.assert.equal(
        headers.get('content-security-policy'),
        `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ${demo.api} ${issuer.issuer}; ` +
          "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
      )
      t.assert.equal(headers.get('x-content-type-options'), 'nosniff')
      t.assert.equal(headers.get('referrer-policy'), 'no-referrer')
      t.assert.equal(headers.get('cache-control'), 'no-store')
    }
  })

  test('the server of the page serves the files that the page names, and no others', async (t) => {
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
    const url = demo.page!.replace('127.0.0.1', 'localhost')
    const { status, headers } = await fetch(url, { redirect: 'manual' })
    t.assert.deepEqual([status, headers.get('location')], [302, demo.page])
  })

  const tenant = { domain: 'tenant.example.com', audience: 'my-api' }

  test('a tenant with AUTH0_SPA_CLIENT_ID has a page that requests tokens for the audience of the API', async (t) => {
    const { page, api } = await startWith(t, { issuer: tenant, spaClientId: 'my-page' })
    t.assert.deepEqual(await (await fetch(`${page}/settings.json`)).json(), {
      api,
      issuer: 'https://tenant.example.com/',
      audience: 'my-api',
      clientId: 'my-page',
      authorize: { scope: 'openid', audience: 'my-api' },
    })
  })

  test('a tenant without AUTH0_SPA_CLIENT_ID has no page, and a line says how to get one', async (t) => {
    const other = await startWith(t, { issuer: tenant })
    t.assert.equal(other.page, undefined)
    t.assert.match(instructions(other), /^To try it in a browser, set AUTH0_SPA_CLIENT_ID /m)
  })

  test('another issuer than Auth0 has no page, and no line mentions one', async (t) => {
    const own = { issuer: 'https://id.example.com', audience: 'my-api' }
    const other = await startWith(t, { issuer: own })
    t.assert.equal(other.page, undefined)
    t.assert.doesNotMatch(instructions(other), /page|browser/i)
  })

  test('a token of oidc-provider has the profile of RFC 9068 and is accepted, with any change it is refused', async (t) => {
    const { clientId, options } = demo.issuer as EmbeddedIssuer
    const token = await getToken(demo.issuer as EmbeddedIssuer)
    const app = await createApp({ ...options, profile: 'rfc9068' })
    t.after(() => app.close())
    const accepted = await call(app, token)
    t.assert.equal(accepted.json<{ user: { client_id: string } }>().user.client_id, clientId)
    for (const changed of changedTokens(token)) t.assert.equal((await call(app, changed)).statusCode, 401)
  })

  test('the route /reports accepts a token with the scope read:reports and no other', async (t) => {
    const reports = async (token?: string) => {
      const response = await fetch(`${demo.api}/reports`, {
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      })
      return { response, body: await response.text() }
    }
    const granted = await reports(await getToken(demo.issuer as EmbeddedIssuer, 'read:ping read:reports'))
    t.assert.equal(granted.response.status, 200)
    t.assert.equal(
      granted.body,
      'All good. You only get this message if your token has the scope read:reports',
    )

    const { response, body } = await reports(await getToken(demo.issuer as EmbeddedIssuer, 'read:ping'))
    t.assert.equal(response.status, 403)
    t.assert.match(
      response.headers.get('www-authenticate') ?? '',
      /^Bearer realm="api", error="insufficient_scope", scope="read:reports"/,
    )
    t.assert.deepEqual(Object.keys(JSON.parse(body)), ['code', 'description'])
    t.assert.equal(JSON.parse(body).code, 'insufficient_scope')

    t.assert.equal((await reports()).response.status, 401)
  })

  test('error pages of the embedded issuer keep their status and run no script', async (t) => {
    for (const [path, status] of [
      ['/auth?client_id=unknown', 400],
      ['/interaction/unknown', 400],
      ['/nowhere', 404],
    ] as const) {
      const response = await fetch(issuer.issuer + path, { headers: { accept: 'text/html' } })
      t.assert.equal(response.status, status, path)
      t.assert.match(
        response.headers.get('content-security-policy') ?? '',
        /^default-src 'none'; script-src 'self'/,
      )
      t.assert.equal((await response.text()).includes('<script'), false)
    }
  })

  test('the expired token of the page differs from a token of the embedded issuer only in its times', async (t) => {
    const response = await fetch(`${issuer.issuer}/expired-token`)
    t.assert.equal(response.headers.get('access-control-allow-origin'), demo.page)
    const token = await response.text()

    const keys = createRemoteJWKSet(new URL(`${issuer.issuer}/jwks`))
    const expected = { ...issuer, typ: 'at+jwt' }
    await t.assert.rejects(jwtVerify(token, keys, expected), errors.JWTExpired)
    const then = new Date((decodeJwt(token).exp! - 1) * 1000)
    await jwtVerify(token, keys, { ...expected, currentDate: then })
  })
})

async function getToken(
  { tokenEndpoint, clientId, clientSecret }: EmbeddedIssuer,
  scope = '',
): Promise<string> {
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) }),
  })
  const { access_token: token } = (await response.json()) as { access_token: string }
  return token
}

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
