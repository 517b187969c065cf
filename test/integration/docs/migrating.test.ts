import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { SignJWT } from 'jose'
import { JwksAuthError, type JwksAuthOptions } from '../../../lib/index.ts'
import { call, createApp } from '../../helpers/app.ts'
import { baseUrl, client, url } from '../../helpers/dpop.ts'
import { Reroute } from '../../helpers/dispatcher.ts'
import { createKeyPair, now, LocalIssuer, type TokenParts } from '../../helpers/issuer.ts'
import { docs } from './documents.ts'

/** The counterparts that docs/migrating.md names for the options of other packages. */

interface Started {
  issuer: LocalIssuer
  app: FastifyInstance
  /** Sends a token with these claims. Returns the code of the refusal, or undefined. */
  request: (claims?: Record<string, unknown>, parts?: TokenParts, url?: string) => Promise<unknown>
}

/** Starts an issuer, and an application with these options. */
async function start(
  t: TestContext,
  options: (issuer: LocalIssuer) => object = () => ({}),
): Promise<Started> {
  const issuer = await LocalIssuer.start()
  const usual = { issuer: issuer.issuer, audience: 'api' }
  const app = await createApp({ ...usual, ...options(issuer) } as JwksAuthOptions)
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  const request: Started['request'] = async (claims = {}, parts = {}, url = '/secured') => {
    const answer = await call(app, await issuer.token({ ...parts, claims }), url)
    return answer.json<{ code?: string }>().code
  }
  return { issuer, app, request }
}

/** The tests of the counterparts, by the names that docs/migrating.md uses. */
const counterparts: Record<string, (t: TestContext) => Promise<void>> = {
  async issuer(t) {
    const { issuer, request } = await start(t)
    t.assert.equal(await request(), undefined)
    t.assert.deepEqual(issuer.requests, ['/.well-known/openid-configuration', '/jwks'])
    t.assert.equal(await request({ iss: `${issuer.issuer}/` }), 'invalid_claims')
    t.assert.equal(await request({ iss: undefined }), 'invalid_claims')
  },

  async dpop(t) {
    const { issuer, app, request } = await start(t, () => ({ dpop: { baseUrl } }))
    const cnf = { jkt: client.jkt }
    t.assert.equal(await request({ cnf }), 'invalid_binding')
    t.assert.equal(await request(), undefined)
    const token = await issuer.token({ claims: { cnf } })
    const headers = client.headers({ url, token })
    t.assert.equal((await app.inject({ url: '/secured', headers })).statusCode, 200)
  },

  async cache(t) {
    const { request } = await start(t, () => ({ cache: { max: 1, maxBytes: 10_000 } }))
    for (let round = 0; round < 3; round += 1) t.assert.equal(await request(), undefined)
    const none = await start(t, () => ({ cache: false }))
    t.assert.equal(await none.request(), undefined)
    const options = { issuer: 'https://issuer.example', audience: 'api', cache: { ttl: 1 } }
    await t.assert.rejects(async () => createApp(options as JwksAuthOptions), /known are max, maxBytes/)
  },

  async issuers(t) {
    await using other = await LocalIssuer.start()
    const { app, request } = await start(t, ({ issuer }) => ({
      issuer: undefined,
      audience: undefined,
      issuers: [
        { issuer, audience: 'api' },
        { issuer: other.issuer, audience: 'api' },
      ],
    }))
    t.assert.equal(await request(), undefined)
    t.assert.equal((await call(app, await other.token())).statusCode, 200)
    // A key of one issuer is not accepted for the other.
    t.assert.equal(await request({}, { key: other.key }), 'invalid_header')
    t.assert.equal(await request({ iss: 'https://unknown.example' }), 'invalid_claims')
  },

  async 'issuers(iss)'(t) {
    await using other = await LocalIssuer.start()
    const calls: string[] = []
    const { issuer, app, request } = await start(t, ({ issuer: name }) => ({
      issuer: undefined,
      audience: undefined,
      issuers: async (iss: string) => {
        calls.push(iss)
        return [name, other.issuer].includes(iss) ? { issuer: iss, audience: 'api' } : undefined
      },
    }))
    // Each host accepts one of the issuers.
    const check = ({ iss }: { iss: string }, { hostname }: { hostname: string }): boolean =>
      iss === (hostname === 'one.example' ? issuer : other).issuer
    app.get('/of-host', { onRequest: app.authorize({ check }) }, async () => ({}))
    for (let times = 0; times < 3; times += 1) t.assert.equal(await request(), undefined)
    t.assert.equal((await call(app, await other.token())).statusCode, 200)
    t.assert.equal(await request({ iss: 'https://unknown.example' }), 'invalid_claims')
    t.assert.deepEqual(calls, [issuer.issuer, other.issuer, 'https://unknown.example'])
    const headers = { authorization: `Bearer ${await issuer.token()}` }
    const statusAt = async (host: string): Promise<number> =>
      (await app.inject({ url: '/of-host', headers: { ...headers, host } })).statusCode
    t.assert.deepEqual([await statusAt('one.example'), await statusAt('two.example')], [200, 403])
  },

  async domain(t) {
    const { issuer, request } = await start(t, ({ origin }) => ({
      issuer: undefined,
      domain: 'tenant.eu.auth0.com',
      jwks: { dispatcher: new Reroute(origin) },
    }))
    issuer.on('/.well-known/jwks.json', { keys: issuer.keys })
    t.assert.equal(await request({ iss: 'https://tenant.eu.auth0.com/' }), undefined)
  },

  async jwksUri(t) {
    const { issuer, request } = await start(t, ({ jwksUri }) => ({ jwksUri }))
    t.assert.equal(await request(), undefined)
    t.assert.deepEqual(issuer.requests, ['/jwks'])
  },

  async audience(t) {
    const { request } = await start(t, () => ({ audience: ['a', 'b'] }))
    t.assert.equal(await request({ aud: 'b' }), undefined)
    t.assert.equal(await request({ aud: ['x', 'a'] }), undefined)
    t.assert.equal(await request({ aud: 'x' }), 'invalid_audience')
    t.assert.equal(await request({ aud: undefined }), 'invalid_claims')
  },

  async 'audience: false'(t) {
    const { request } = await start(t, () => ({ audience: false }))
    t.assert.equal(await request({ aud: undefined }), undefined)
    t.assert.equal(await request({ aud: 'x' }), undefined)
  },

  async secret(t) {
    const secret = 'a shared secret of 32 characters'
    const { issuer, app } = await start(t, () => ({ secret }))
    const sign = async (key: string): Promise<string> =>
      new SignJWT(issuer.claims()).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(key))
    t.assert.equal((await call(app, await sign(secret))).statusCode, 200)
    t.assert.equal((await call(app, await sign(`${secret}!`))).statusCode, 401)
    await t.assert.rejects(
      createApp({ issuer: 'x', audience: 'api', secret: secret.slice(1) }),
      /"secret" must have at least 32 bytes/,
    )
  },

  async algorithms(t) {
    const { issuer, request } = await start(t, () => ({ algorithms: ['RS256'] }))
    const key = await createKeyPair('RS256')
    issuer.keys.push(key.jwk)
    t.assert.equal(await request({}, { key }), undefined)
    t.assert.equal(await request(), 'invalid_algorithm')
  },

  async claims(t) {
    const { request } = await start(t, () => ({ claims: { sub: ['a', 'b'] } }))
    t.assert.equal(await request({ sub: 'b' }), undefined)
    t.assert.equal(await request({ sub: 'c' }), 'invalid_claims')
  },

  async requiredClaims(t) {
    const { request } = await start(t, () => ({ requiredClaims: ['jti'] }))
    t.assert.equal(await request({ jti: 'one' }), undefined)
    t.assert.equal(await request(), 'invalid_claims')
  },

  async maxTokenAge(t) {
    const { request } = await start(t, () => ({ maxTokenAge: 60_000 }))
    t.assert.equal(await request({ iat: now() - 30 }), undefined)
    t.assert.equal(await request({ iat: now() - 90 }), 'token_expired')
    t.assert.equal(await request({ iat: undefined }), 'invalid_claims')
  },

  async clockTolerance(t) {
    const { request } = await start(t, () => ({ clockTolerance: 60_000 }))
    t.assert.equal(await request({ exp: now() - 30 }), undefined)
    t.assert.equal(await request({ exp: now() - 90 }), 'token_expired')
  },

  async "profile: 'rfc9068'"(t) {
    const { request } = await start(t, () => ({ profile: 'rfc9068' }))
    const claims = { jti: 'one', client_id: 'client' }
    t.assert.equal(await request(claims, { header: { typ: 'at+jwt' } }), undefined)
    t.assert.equal(await request(claims, { header: { typ: 'JWT' } }), 'invalid_claims')
    t.assert.equal(await request({}, { header: { typ: 'at+jwt' } }), 'invalid_claims')
  },

  async getToken(t) {
    const getToken = ({ headers }: { headers: Record<string, string> }): string | undefined =>
      headers['x-token']
    const { issuer, app, request } = await start(t, () => ({ getToken }))
    const headers = { 'x-token': await issuer.token() }
    t.assert.equal((await app.inject({ url: '/secured', headers })).statusCode, 200)
    t.assert.equal(await request(), 'authorization_header_missing')
  },

  async formatUser(t) {
    const { issuer, app } = await start(t, () => ({
      formatUser: async ({ sub }: { sub: string }) => ({ id: sub }),
    }))
    t.assert.deepEqual((await call(app, await issuer.token())).json(), { user: { id: 'someone' } })
  },

  async isRevoked(t) {
    const { request } = await start(t, () => ({ isRevoked: ({ jti }: { jti: string }) => jti === 'bad' }))
    t.assert.equal(await request({ jti: 'good' }), undefined)
    t.assert.equal(await request({ jti: 'bad' }), 'token_revoked')
  },

  async 'jwks.refreshInterval'(t) {
    const usual = await start(t)
    const short = await start(t, () => ({ jwks: { refreshInterval: 1 } }))
    for (const { issuer, request } of [usual, short]) {
      await request()
      const sentAt = Date.now()
      while (Date.now() - sentAt < 3) await new Promise(setImmediate)
      issuer.keys = []
      await request()
    }
    t.assert.deepEqual([usual.issuer.fetches, short.issuer.fetches], [1, 2])
  },

  async 'jwks.timeout'(t) {
    const { issuer, request } = await start(t, () => ({ jwks: { timeout: 50 } }))
    issuer.on('/jwks', () => {})
    t.assert.equal(await request(), 'jwks_unavailable')
  },

  async 'jwks.cooldown'(t) {
    const { issuer, request } = await start(t, () => ({ jwks: { cooldown: 60_000 } }))
    await request()
    for (let kid = 0; kid < 20; kid++) {
      t.assert.equal(await request({}, { header: { kid: `unknown ${kid}` } }), 'invalid_header')
    }
    t.assert.equal(issuer.fetches, 3)
  },

  async 'jwks.dispatcher'(t) {
    const dispatchers: Reroute[] = []
    const { request } = await start(t, ({ origin }) => {
      dispatchers.push(new Reroute(origin))
      return { jwksUri: 'https://behind-a-proxy.example/jwks', jwks: { dispatcher: dispatchers[0] } }
    })
    t.assert.equal(await request(), undefined)
    t.assert.deepEqual(dispatchers[0]!.urls, ['https://behind-a-proxy.example/jwks'])
  },

  async 'request.user'(t) {
    const { issuer, app } = await start(t)
    const claims = issuer.claims()
    t.assert.deepEqual((await call(app, await issuer.token({ claims }))).json(), { user: claims })
  },

  async 'request.accessToken'(t) {
    const { issuer, app } = await start(t)
    app.get('/token', { onRequest: app.authenticate }, async (request) => request.accessToken)
    const claims = issuer.claims()
    const raw = await issuer.token({ claims })
    const { alg, kid } = issuer.key.jwk
    t.assert.deepEqual((await call(app, raw, '/token')).json(), { claims, header: { alg, kid }, raw })
  },

  async 'app.authenticate'(t) {
    const { app, request } = await start(t)
    app.get('/awaited', async (request, reply) => {
      await app.authenticate(request, reply)
      return {}
    })
    t.assert.equal(await request({}, {}, '/awaited'), undefined)
    for (const url of ['/secured', '/awaited']) t.assert.equal((await app.inject(url)).statusCode, 401)
  },

  async 'app.authenticateOptional'(t) {
    const { app, request } = await start(t)
    t.assert.deepEqual((await app.inject('/optional')).json(), { user: null })
    t.assert.equal(await request({}, {}, '/optional'), undefined)
    t.assert.equal(await request({ aud: 'x' }, {}, '/optional'), 'invalid_audience')
  },

  ...Object.fromEntries(
    (
      [
        ['scope', { scope: ['a', 'b'] }, { scope: 'a b' }, { scope: 'a' }],
        ['anyScope', { anyScope: ['a', 'b'] }, { permissions: ['b'] }, { scope: 'c' }],
        ['claims', { claims: { role: 'x' } }, { role: ['y', 'x'] }, { role: ['y'] }],
        ['check', { check: ({ sub }) => sub === 'a' }, { sub: 'a' }, { sub: 'b' }],
      ] satisfies [string, Parameters<FastifyInstance['authorize']>[0], object, object][]
    ).map(([name, rule, right, wrong]) => [
      `app.authorize({ ${name} })`,
      async (t: TestContext) => {
        const { app, request } = await start(t)
        app.get('/authorized', { onRequest: app.authorize(rule) }, async () => ({}))
        t.assert.equal(await request(right, {}, '/authorized'), undefined)
        t.assert.equal(await request(wrong, {}, '/authorized'), 'insufficient_scope')
      },
    ]),
  ),

  async 'app.setErrorHandler'(t) {
    const { issuer, app } = await start(t)
    app.setErrorHandler((error, _request, reply) =>
      reply.code(401).send({ message: error instanceof JwksAuthError ? `my ${error.code}` : '' }),
    )
    app.get('/handled', { onRequest: app.authenticate }, async () => ({}))
    const response = await call(app, await issuer.token({ claims: { aud: 'x' } }), '/handled')
    t.assert.deepEqual(response.json(), { message: 'my invalid_audience' })
    t.assert.equal(response.headers['www-authenticate'], 'Bearer realm="api", error="invalid_token"')
  },

  async JwksAuthError(t) {
    const { app } = await start(t)
    app.get('/caught', async (request, reply) => {
      const error: unknown = await app.authenticate(request, reply).catch((reason: unknown) => reason)
      return error instanceof JwksAuthError ? [error.code, error.statusCode] : 'another error'
    })
    t.assert.deepEqual((await app.inject('/caught')).json(), ['authorization_header_missing', 401])
  },
}

/** The counterparts that are only types. test/system/types tests them. */
const typesOnly = ['JwksAuthTypes']

/** The rows of the tables. The second column begins with a counterpart, or with the reason why there is none. */
const rows = Array.from(
  readFileSync(join(docs, 'migrating.md'), 'utf8').matchAll(/^\| (?!there |-)(.+?) +\| (.+?) +\|$/gm),
  ([, there, here]) => ({ there, here: /^(?:`([^`]+)`|None: )/.exec(here!) }),
)

test('every row of docs/migrating.md has a counterpart that is tested, or the reason why there is none', (t) => {
  t.assert.notEqual(rows.length, 0)
  t.assert.deepEqual(
    rows.filter(({ here }) => here === null),
    [],
  )
  const named = new Set(rows.flatMap(({ here }) => here?.[1] ?? []))
  t.assert.deepEqual([...named].toSorted(), [...Object.keys(counterparts), ...typesOnly].toSorted())
})

suite('the counterparts of docs/migrating.md', () => {
  for (const [name, check] of Object.entries(counterparts)) {
    test(`${name} works as the counterpart in docs/migrating.md`, check)
  }
})

test('every row of docs/migrating.md about seconds says that they are multiplied by 1000', (t) => {
  const rows = readFileSync(join(docs, 'migrating.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| [^|]*seconds/.test(line))
  t.assert.equal(rows.length, 5)
  t.assert.deepEqual(
    rows.filter((row) => !row.includes('× 1000')),
    [],
  )
})
