import { suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, {
  diagnostics,
  JwksAuthError,
  type ResolveIssuer,
  type IssuerOptions,
  type JwksAuthOptions,
} from '../../lib/index.ts'
import { AccessTokenVerifier } from '../../lib/access-token-verifier.ts'
import { readPluginOptions } from '../../lib/options/plugin-options.ts'
import { call, createApp, readAnswer } from '../helpers/app.ts'
import { eventsOf } from '../helpers/events.ts'
import { createKeyPair, sendJson, sign, LocalIssuer, unsignedToken, until } from '../helpers/issuer.ts'

/** An API with a function for `issuers`. The test moves the monotonic clock of the process. */
class Api {
  readonly tenants = new Map<string, IssuerOptions>()
  /** The arguments of the calls of the function. */
  readonly calls: string[] = []
  readonly log: { level: number; msg: string; issuer?: string }[] = []
  readonly app: FastifyInstance
  /** Milliseconds by which the test has moved the clock forward. */
  elapsed = 0
  resolve: ResolveIssuer = async (iss) => this.tenants.get(iss)

  private constructor(t: TestContext) {
    const now = performance.now.bind(performance)
    t.mock.method(performance, 'now', () => now() + this.elapsed)
    const stream = { write: (line: string) => void this.log.push(JSON.parse(line) as Api['log'][number]) }
    this.app = Fastify({ logger: { level: 'warn', stream } })
    t.after(() => this.app.close())
  }

  static async start(t: TestContext, options: Partial<JwksAuthOptions> = {}): Promise<Api> {
    const api = new Api(t)
    const issuers: ResolveIssuer = (iss) => {
      api.calls.push(iss)
      return api.resolve(iss)
    }
    await api.app.register(jwksAuth, { ...options, issuers } as JwksAuthOptions)
    api.app.get('/secured', { onRequest: api.app.authenticate }, async ({ user }) => user.iss)
    return api
  }

  /** Adds an issuer to the tenants. */
  add({ issuer }: LocalIssuer, options: object = {}): void {
    this.tenants.set(issuer, { issuer, audience: 'api', ...options })
  }

  /** Sends a request with a token. Returns the issuer of an accepted token, or the code of the refusal. */
  async request(token: string | Promise<string>): Promise<unknown> {
    const response = await call(this.app, await token)
    return response.statusCode === 200 ? response.body : response.json<{ code: string }>().code
  }

  /** Returns the number of calls of the function since the last call of this method. */
  newCalls(): number {
    return this.calls.splice(0).length
  }
}

/** Returns a function that verifies tokens without an application, for tests with many tokens. Its result is 'accepted' or the code of the refusal. */
function verifier(t: TestContext, resolve: ResolveIssuer): (token: string) => Promise<string> {
  const settings = readPluginOptions({ issuers: resolve, jwks: { timeout: 60_000 } })
  const request = { method: 'GET', originalUrl: '/', headers: {}, raw: { socket: {} } }
  const server = new AccessTokenVerifier(settings.issuers, {
    ...settings,
    log: { warn() {}, info() {}, debug() {} },
    extractToken: (token) => ({ scheme: 'Bearer', token }),
    dpop: undefined,
    mtls: undefined,
  })
  t.after(() => server.close())
  return async (token) => {
    const result = await Promise.resolve(server.verify(token, request)).catch((error: unknown) => error)
    return result instanceof JwksAuthError ? result.code : 'accepted'
  }
}

const interval = 300_000
const unknownIssuer = {
  status: 401,
  code: 'invalid_claims',
  message: 'incorrect claims, please check the audience and issuer',
  challenge: 'Bearer realm="api", error="invalid_token"',
}

suite('issuers as a function', () => {
  for (const [title, isAsync] of [
    ['a function', false],
    ['an asynchronous function', true],
  ] as const) {
    test(`${title} is called once for each issuer`, async (t) => {
      await using one = await LocalIssuer.start()
      await using two = await LocalIssuer.start()
      const api = await Api.start(t)
      if (!isAsync) api.resolve = (iss) => api.tenants.get(iss)
      for (const issuer of [one, two]) api.add(issuer)
      for (let round = 0; round < 4; round += 1) {
        for (const issuer of [one, two]) t.assert.equal(await api.request(issuer.token()), issuer.issuer)
      }
      t.assert.deepEqual(api.calls, [one.issuer, two.issuer])
      t.assert.deepEqual([one.fetches, two.fetches], [1, 1])
    })
  }

  test('an issuer for which the function returns nothing is refused as an unknown issuer, without a fetch', async (t) => {
    await using unknown = await LocalIssuer.start()
    const api = await Api.start(t)
    for (const resolve of [api.resolve, () => undefined, () => null as never]) {
      api.resolve = resolve
      const response = await call(api.app, await unknown.token())
      t.assert.deepEqual(readAnswer(response), unknownIssuer)
      api.elapsed += 10_000
    }
    t.assert.deepEqual(unknown.requests, [])
    t.assert.equal(api.newCalls(), 3)
  })

  test('the function is not called for an invalid token or a token without a valid iss', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.resolve = () => ({ issuer: issuer.issuer, audience: 'api' })
    const header = { alg: 'ES256', kid: issuer.key.jwk.kid }
    const name = issuer.issuer
    t.assert.equal(await api.request('a.b.c'), 'invalid_header')
    t.assert.equal(
      await api.request(unsignedToken({ ...header, crit: ['a'] }, { iss: name })),
      'invalid_header',
    )
    for (const iss of [undefined, null, '', 5, [name], { iss: name }, name.padEnd(1_025, 'x')]) {
      t.assert.equal(await api.request(issuer.token({ claims: { iss } })), 'invalid_claims')
    }
    t.assert.deepEqual([api.calls, issuer.requests], [[], []])
  })

  test('the issuer is checked before the algorithm and the key', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    const none = unsignedToken({ alg: 'none' }, issuer.claims())
    t.assert.equal(await api.request(none), 'invalid_claims')
    api.elapsed += 10_000
    api.add(issuer)
    t.assert.equal(await api.request(none), 'invalid_algorithm')
    t.assert.deepEqual(issuer.requests, [])
  })

  test('10,000 invented issuers cause no fetch, and no second call of the function for a tenant', async (t) => {
    await using tenant = await LocalIssuer.start()
    await using unknown = await LocalIssuer.start()
    const calls: string[] = []
    const verify = verifier(t, (iss) => {
      calls.push(iss)
      return iss === tenant.issuer ? { issuer: iss, audience: 'api' } : undefined
    })
    const token = await tenant.token()
    t.assert.equal(await verify(token), 'accepted')
    const header = { alg: 'ES256', kid: unknown.key.jwk.kid }
    for (let index = 0; index < 10_000; index += 1) {
      const claims = unknown.claims({ iss: `${unknown.issuer}/${index}` })
      t.assert.equal(await verify(unsignedToken(header, claims, 'AAAA')), 'invalid_claims')
      if (index % 1_000 === 0) t.assert.equal(await verify(token), 'accepted')
    }
    t.assert.equal(await verify(token), 'accepted')
    t.assert.equal(await verify(await tenant.token()), 'accepted')
    t.assert.deepEqual([calls.length, new Set(calls).size], [10_001, 10_001])
    t.assert.deepEqual([unknown.requests, tenant.fetches], [[], 1])
  })

  test('100 concurrent first requests of an issuer cause one call of the function and one fetch of its keys', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const tokens = await Promise.all(Array.from({ length: 100 }, () => issuer.token()))
    const answers = await Promise.all(tokens.map((token) => api.request(token)))
    t.assert.deepEqual(new Set(answers), new Set([issuer.issuer]))
    t.assert.deepEqual([api.calls, issuer.fetches], [[issuer.issuer], 1])
  })
})

suite('keys of tenants', () => {
  test('a key of one tenant does not verify tokens of another tenant with the same kid', async (t) => {
    const kid = 'of both'
    await using one = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    await using two = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    const api = await Api.start(t)
    for (const issuer of [one, two]) api.add(issuer)
    for (let round = 0; round < 2; round += 1) {
      t.assert.equal(await api.request(one.token({ key: two.key })), 'token_invalid_signature')
      t.assert.equal(await api.request(two.token({ key: one.key })), 'token_invalid_signature')
      t.assert.equal(await api.request(one.token()), one.issuer)
      t.assert.equal(await api.request(two.token()), two.issuer)
    }
  })

  test('options of another issuer than the one in the token are not used, and the log has a warning', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.resolve = () => ({ issuer: issuer.issuer, audience: 'api' })
    for (const iss of ['https://unknown.example', `${issuer.issuer}/`, issuer.issuer.toUpperCase()]) {
      t.assert.deepEqual(
        readAnswer(await call(api.app, await issuer.token({ claims: { iss } }))),
        unknownIssuer,
      )
    }
    t.assert.deepEqual(issuer.requests, [])
    t.assert.equal(await api.request(issuer.token()), issuer.issuer)
    t.assert.deepEqual(
      api.log.map(({ level, msg, issuer: name }) => [level, msg, name]),
      [
        [
          40,
          'the function "issuers" returned the options of another issuer than the one it was called with; tokens of that issuer are refused',
          issuer.issuer,
        ],
      ],
    )
  })
})

suite('changes of a tenant', () => {
  test('a removed tenant is refused after the refresh interval, also with cached tokens', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const accepted = eventsOf(t, diagnostics.tokenAccepted)
    const token = await issuer.token()
    for (let times = 0; times < 3; times += 1) await api.request(token)
    t.assert.equal(accepted.at(-1)!.cached, true)
    api.tenants.clear()
    api.elapsed = interval - 60_000
    t.assert.equal(await api.request(token), issuer.issuer)
    api.elapsed = interval
    t.assert.deepEqual(readAnswer(await call(api.app, token)), unknownIssuer)
    t.assert.equal(await api.request(issuer.token()), 'invalid_claims')
  })

  test('a tenant that was refused and then added is accepted after the cooldown', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { cooldown: 5_000 } })
    const token = await issuer.token()
    t.assert.equal(await api.request(token), 'invalid_claims')
    api.add(issuer)
    t.assert.equal(await api.request(token), 'invalid_claims')
    api.elapsed = 5_000
    t.assert.equal(await api.request(token), issuer.issuer)
  })

  test('a tenant that was refused and then added is accepted at once with a cooldown of 0', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { cooldown: 0 } })
    t.assert.equal(await api.request(issuer.token()), 'invalid_claims')
    api.add(issuer)
    t.assert.equal(await api.request(issuer.token()), issuer.issuer)
  })

  test('an unchanged tenant keeps its keys and cached tokens when the function is called again', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const accepted = eventsOf(t, diagnostics.tokenAccepted)
    // This token causes a call of the function. The keys are fetched later.
    t.assert.equal(await api.request(unsignedToken({ alg: 'none' }, issuer.claims())), 'invalid_algorithm')
    api.elapsed = 200_000
    const token = await issuer.token()
    for (let times = 0; times < 3; times += 1) await api.request(token)
    api.elapsed = interval
    t.assert.equal(await api.request(token), issuer.issuer)
    t.assert.equal(accepted.at(-1)!.cached, true)
    t.assert.deepEqual([api.newCalls(), issuer.fetches], [2, 1])
  })

  test('the new options of a tenant apply to all its tokens, also to cached tokens', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const token = await issuer.token()
    for (let times = 0; times < 3; times += 1) t.assert.equal(await api.request(token), issuer.issuer)
    api.add(issuer, { audience: 'web' })
    api.elapsed = interval
    t.assert.equal(await api.request(token), 'invalid_audience')
    t.assert.equal(await api.request(issuer.token({ claims: { aud: 'web' } })), issuer.issuer)
    t.assert.equal(issuer.fetches, 2)
  })

  test('a tenant with a new jwksUri is verified only with the keys from the new URL', async (t) => {
    await using issuer = await LocalIssuer.start()
    await using elsewhere = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer, { jwksUri: issuer.jwksUri })
    const token = await issuer.token()
    t.assert.equal(await api.request(token), issuer.issuer)
    api.add(issuer, { jwksUri: elsewhere.jwksUri })
    api.elapsed = interval
    t.assert.equal(await api.request(token), 'invalid_header')
    t.assert.equal(await api.request(issuer.token({ key: elsewhere.key })), issuer.issuer)
    t.assert.deepEqual([issuer.fetches, elsewhere.fetches], [1, 1])
  })

  test('the fetch of a tenant is aborted when the tenant is evicted', async (t) => {
    await using issuer = await LocalIssuer.start()
    let isClosed = false
    issuer.on('/jwks', (_request, response) => void response.on('close', () => (isClosed = true)))
    const secret = 'a shared secret of 32 characters'
    const verify = verifier(t, (iss) => ({
      issuer: iss,
      audience: 'api',
      ...(iss !== issuer.issuer && { secret }),
    }))
    const waiting = verify(await issuer.token())
    await until(async () => issuer.fetches === 1)
    for (let index = 0; index < 10_000; index += 1) {
      await verify(unsignedToken({ alg: 'none' }, { iss: `another ${index}` }))
    }
    await until(async () => isClosed)
    t.assert.equal(await waiting, 'jwks_unavailable')
  })
})

test('concurrent requests that wait for a function that never answers have an error each', async (t) => {
  await using issuer = await LocalIssuer.start()
  const app = await createApp({ issuers: async () => new Promise(() => {}), jwks: { timeout: 20 } })
  t.after(() => app.close())
  const errors: unknown[] = []
  app.get('/tried', async (request, reply) => {
    await app.authenticate(request, reply).catch((error: unknown) => errors.push(error))
    return 'tried'
  })
  const token = await issuer.token()
  await Promise.all([call(app, token, '/tried'), call(app, token, '/tried')])
  t.assert.deepEqual(
    errors.map((error) => (error as JwksAuthError).code),
    ['jwks_unavailable', 'jwks_unavailable'],
  )
  t.assert.notEqual(errors[0], errors[1])
})

suite('failures of the function', () => {
  const failures: [title: string, thrown: unknown, status: number, message: string][] = [
    ['an error', Object.assign(new Error('mine'), { statusCode: 418 }), 418, 'mine'],
    [
      'a JwksAuthError',
      new JwksAuthError({ code: 'invalid_claims', statusCode: 401, message: 'mine' }),
      401,
      'mine',
    ],
    ['undefined', undefined, 500, 'fastify-jwks-auth: a callback refused the request by throwing nothing'],
    ['null', null, 500, 'fastify-jwks-auth: a callback refused the request by throwing nothing'],
    ['false', false, 500, 'fastify-jwks-auth: a callback refused the request by throwing nothing'],
  ]
  for (const [title, thrown, status, message] of failures) {
    for (const how of ['throwing', 'rejecting with'] as const) {
      test(`a function that fails by ${how} ${title} is answered ${status} without a challenge, and is called again`, async (t) => {
        await using issuer = await LocalIssuer.start()
        const api = await Api.start(t)
        const { resolve } = api
        const fail = (): never => {
          // A callback can throw any value.
          throw thrown as Error
        }
        api.resolve = how === 'throwing' ? fail : async () => fail()
        const refusals = eventsOf(t, diagnostics.tokenRefused)
        for (let times = 0; times < 2; times += 1) {
          const { challenge, ...response } = readAnswer(await call(api.app, await issuer.token()))
          t.assert.deepEqual([response.status, response.message, challenge], [status, message, undefined])
        }
        t.assert.deepEqual([api.newCalls(), refusals], [2, []])
        api.resolve = resolve
        api.add(issuer)
        t.assert.equal(await api.request(issuer.token()), issuer.issuer)
      })
    }
  }

  test('invalid options of a tenant refuse its tokens until the options are valid and the cooldown has passed', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { cooldown: 5_000 } })
    api.add(issuer, { clockTolerance: -1 })
    t.assert.deepEqual(readAnswer(await call(api.app, await issuer.token())), unknownIssuer)
    api.add(issuer)
    api.elapsed = 5_000
    t.assert.equal(await api.request(issuer.token()), issuer.issuer)
  })

  test('a failing function makes a known tenant fail after the refresh interval, and the tenant keeps its keys', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const { resolve } = api
    t.assert.equal(await api.request(unsignedToken({ alg: 'none' }, issuer.claims())), 'invalid_algorithm')
    api.elapsed = 200_000
    const token = await issuer.token()
    t.assert.equal(await api.request(token), issuer.issuer)
    api.resolve = async () => Promise.reject(new Error('the database is down'))
    api.elapsed = interval - 1_000
    t.assert.equal(await api.request(token), issuer.issuer)
    api.elapsed = interval
    t.assert.equal((await call(api.app, token)).statusCode, 500)
    api.resolve = resolve
    t.assert.equal(await api.request(token), issuer.issuer)
    t.assert.equal(issuer.fetches, 1)
  })
})

suite('other features with issuers as a function', () => {
  test('jwks.prefetch fetches nothing if issuers is a function', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { prefetch: true } })
    api.add(issuer)
    await api.app.ready()
    t.assert.deepEqual([api.calls, issuer.requests], [[], []])
  })

  test('jwksStatus lists the issuers that the function has returned within the refresh interval', async (t) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start()
    const api = await Api.start(t)
    const statesByIssuer = (): object =>
      Object.fromEntries(api.app.jwksStatus().map(({ issuer, state }) => [issuer, state]))
    for (const issuer of [one, two]) api.add(issuer)
    two.on('/jwks', sendJson({}, 500))
    t.assert.deepEqual(statesByIssuer(), {})
    for (const issuer of [one, two]) await api.request(issuer.token())
    t.assert.deepEqual(statesByIssuer(), { [one.issuer]: 'fresh', [two.issuer]: 'unavailable' })
    api.tenants.delete(two.issuer)
    api.elapsed = interval
    t.assert.deepEqual(statesByIssuer(), {})
    await api.request(one.token())
    t.assert.deepEqual(statesByIssuer(), { [one.issuer]: 'fresh' })
  })

  test('a tokenRefused event has the issuer of the token if the function knows the issuer', async (t) => {
    await using tenant = await LocalIssuer.start()
    await using unknown = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(tenant)
    const refusals = eventsOf(t, diagnostics.tokenRefused)
    for (const issuer of [tenant, unknown]) await api.request(issuer.token({ claims: { exp: 1 } }))
    t.assert.deepEqual(
      refusals.map(({ code, issuer }) => [code, issuer]),
      [
        ['token_expired', tenant.issuer],
        ['invalid_claims', undefined],
      ],
    )
  })

  test('close aborts the fetches of every issuer, and a later answer of the function starts no fetch', async (t) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { timeout: 60_000 } })
    let answer = (): void => {}
    const answered = new Promise<void>((done) => (answer = done))
    api.resolve = async (iss) => {
      if (iss === two.issuer) await answered
      return api.tenants.get(iss)
    }
    for (const issuer of [one, two]) api.add(issuer)
    let isClosed = false
    one.on('/jwks', (_request, response) => void response.on('close', () => (isClosed = true)))
    const waiting = [one, two].map(async (issuer) => call(api.app, await issuer.token()))
    await until(async () => one.fetches === 1 && api.calls.length === 2)
    const closing = api.app.close()
    await until(async () => isClosed)
    t.assert.equal((await waiting[0])!.statusCode, 503)
    answer()
    t.assert.equal((await waiting[1])!.statusCode, 503)
    await closing
    t.assert.deepEqual(two.requests, [])
  })

  test('two instances in separate scopes never accept tokens of each other', async (t) => {
    const kid = 'of both'
    await using one = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    await using two = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    const app = Fastify()
    t.after(() => app.close())
    for (const [url, { issuer }] of [
      ['/one', one],
      ['/two', two],
    ] as const) {
      app.register(async (scope) => {
        const issuers: ResolveIssuer = (iss) => (iss === issuer ? { issuer, audience: 'api' } : undefined)
        await scope.register(jwksAuth, { issuers })
        scope.get(url, { onRequest: scope.authenticate }, async ({ user }) => user.iss)
      })
    }
    const tokens = { one: await one.token(), two: await two.token() }
    const forged = { one: await sign(two.key, one.claims()), two: await sign(one.key, two.claims()) }
    // Four rounds, since a token is served from the cache from its third request on.
    for (let round = 0; round < 4; round += 1) {
      t.assert.equal((await call(app, tokens.one, '/one')).body, one.issuer)
      t.assert.equal((await call(app, tokens.two, '/two')).body, two.issuer)
      t.assert.equal(readAnswer(await call(app, tokens.one, '/two')).code, 'invalid_claims')
      t.assert.equal(readAnswer(await call(app, tokens.two, '/one')).code, 'invalid_claims')
      t.assert.equal(readAnswer(await call(app, forged.one, '/one')).code, 'token_invalid_signature')
      t.assert.equal(readAnswer(await call(app, forged.two, '/two')).code, 'token_invalid_signature')
    }
  })
})
