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
import { call, createApp, verdict } from '../helpers/app.ts'
import { eventsOf } from '../helpers/events.ts'
import { createKeyPair, sendJson, sign, LocalIssuer, unsignedToken, until } from '../helpers/issuer.ts'

/** An API whose issuers are found by a function, in a process whose monotonic clock the test moves. */
class Api {
  readonly tenants = new Map<string, IssuerOptions>()
  readonly asked: string[] = []
  readonly log: { level: number; msg: string; issuer?: string }[] = []
  readonly app: FastifyInstance
  /** Milliseconds by which time has been moved on. */
  later = 0
  find: ResolveIssuer = async (iss) => this.tenants.get(iss)

  private constructor(t: TestContext) {
    const now = performance.now.bind(performance)
    t.mock.method(performance, 'now', () => now() + this.later)
    const stream = { write: (line: string) => void this.log.push(JSON.parse(line) as Api['log'][number]) }
    this.app = Fastify({ logger: { level: 'warn', stream } })
    t.after(() => this.app.close())
  }

  static async start(t: TestContext, options: Partial<JwksAuthOptions> = {}): Promise<Api> {
    const api = new Api(t)
    const issuers: ResolveIssuer = (iss) => {
      api.asked.push(iss)
      return api.find(iss)
    }
    await api.app.register(jwksAuth, { ...options, issuers } as JwksAuthOptions)
    api.app.get('/secured', { onRequest: api.app.authenticate }, async ({ user }) => user.iss)
    return api
  }

  /** Takes an issuer for one whose tokens are good. */
  add({ issuer }: LocalIssuer, options: object = {}): void {
    this.tenants.set(issuer, { issuer, audience: 'api', ...options })
  }

  /** The issuer of the token that was let in, or the code of the refusal. */
  async ask(token: string | Promise<string>): Promise<unknown> {
    const response = await call(this.app, await token)
    return response.statusCode === 200 ? response.body : response.json<{ code: string }>().code
  }

  /** How often the function was asked since this was asked last. */
  newlyAsked(): number {
    return this.asked.splice(0).length
  }
}

/** The verdict on a token without an application around it, for those who send many: 'accepted', or the code of the refusal. */
function verifier(t: TestContext, find: ResolveIssuer): (token: string) => Promise<string> {
  const settings = readPluginOptions({ issuers: find, jwks: { timeout: 60_000 } })
  const request = { method: 'GET', originalUrl: '/', headers: {} }
  const server = new AccessTokenVerifier(settings.issuers, {
    ...settings,
    log: { warn() {}, info() {}, debug() {} },
    extractToken: (token) => ({ scheme: 'Bearer', token }),
  })
  t.after(() => server.close())
  return async (token) => {
    const verdict = await Promise.resolve(server.verify(token, request)).catch((error: unknown) => error)
    return verdict instanceof JwksAuthError ? verdict.code : 'accepted'
  }
}

const interval = 300_000
const unknownIssuer = {
  status: 401,
  code: 'invalid_claims',
  message: 'incorrect claims, please check the audience and issuer',
  challenge: 'Bearer realm="api", error="invalid_token"',
}

suite('issuers that a function finds', () => {
  for (const [title, isAsync] of [
    ['a function', false],
    ['an asynchronous function', true],
  ] as const) {
    test(`${title} is asked for the issuer of a token, once`, async (t) => {
      await using one = await LocalIssuer.start()
      await using two = await LocalIssuer.start()
      const api = await Api.start(t)
      if (!isAsync) api.find = (iss) => api.tenants.get(iss)
      for (const issuer of [one, two]) api.add(issuer)
      for (let round = 0; round < 4; round += 1) {
        for (const issuer of [one, two]) t.assert.equal(await api.ask(issuer.token()), issuer.issuer)
      }
      t.assert.deepEqual(api.asked, [one.issuer, two.issuer])
      t.assert.deepEqual([one.fetches, two.fetches], [1, 1])
    })
  }

  test('what it does not know is refused as any unknown issuer, and nothing is fetched', async (t) => {
    await using stranger = await LocalIssuer.start()
    const api = await Api.start(t)
    for (const find of [api.find, () => undefined, () => null as never]) {
      api.find = find
      const response = await call(api.app, await stranger.token())
      t.assert.deepEqual(verdict(response), unknownIssuer)
      api.later += 10_000
    }
    t.assert.deepEqual(stranger.requests, [])
    t.assert.equal(api.newlyAsked(), 3)
  })

  test('it is not asked about a token that is no token, or names no issuer', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.find = () => ({ issuer: issuer.issuer, audience: 'api' })
    const header = { alg: 'ES256', kid: issuer.key.jwk.kid }
    const name = issuer.issuer
    t.assert.equal(await api.ask('a.b.c'), 'invalid_header')
    t.assert.equal(await api.ask(unsignedToken({ ...header, crit: ['a'] }, { iss: name })), 'invalid_header')
    for (const iss of [undefined, null, '', 5, [name], { iss: name }, name.padEnd(1_025, 'x')]) {
      t.assert.equal(await api.ask(issuer.token({ claims: { iss } })), 'invalid_claims')
    }
    t.assert.deepEqual([api.asked, issuer.requests], [[], []])
  })

  test('the issuer comes before the algorithm and the key', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    const none = unsignedToken({ alg: 'none' }, issuer.claims())
    t.assert.equal(await api.ask(none), 'invalid_claims')
    api.later += 10_000
    api.add(issuer)
    t.assert.equal(await api.ask(none), 'invalid_algorithm')
    t.assert.deepEqual(issuer.requests, [])
  })

  test('10,000 invented issuers cost no fetch, and tenants go on working without being asked for', async (t) => {
    await using tenant = await LocalIssuer.start()
    await using stranger = await LocalIssuer.start()
    const asked: string[] = []
    const verify = verifier(t, (iss) => {
      asked.push(iss)
      return iss === tenant.issuer ? { issuer: iss, audience: 'api' } : undefined
    })
    const token = await tenant.token()
    t.assert.equal(await verify(token), 'accepted')
    const header = { alg: 'ES256', kid: stranger.key.jwk.kid }
    for (let index = 0; index < 10_000; index += 1) {
      const claims = stranger.claims({ iss: `${stranger.issuer}/${index}` })
      t.assert.equal(await verify(unsignedToken(header, claims, 'AAAA')), 'invalid_claims')
      if (index % 1_000 === 0) t.assert.equal(await verify(token), 'accepted')
    }
    t.assert.equal(await verify(token), 'accepted')
    t.assert.equal(await verify(await tenant.token()), 'accepted')
    t.assert.deepEqual([asked.length, new Set(asked).size], [10_001, 10_001])
    t.assert.deepEqual([stranger.requests, tenant.fetches], [[], 1])
  })

  test('100 first requests at once ask for it once, and fetch its keys once', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const tokens = await Promise.all(Array.from({ length: 100 }, () => issuer.token()))
    const answers = await Promise.all(tokens.map((token) => api.ask(token)))
    t.assert.deepEqual(new Set(answers), new Set([issuer.issuer]))
    t.assert.deepEqual([api.asked, issuer.fetches], [[issuer.issuer], 1])
  })
})

suite('a key', () => {
  test('of one tenant is no good for another, under one kid or two', async (t) => {
    const kid = 'of both'
    await using one = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    await using two = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    const api = await Api.start(t)
    for (const issuer of [one, two]) api.add(issuer)
    for (let round = 0; round < 2; round += 1) {
      t.assert.equal(await api.ask(one.token({ key: two.key })), 'token_invalid_signature')
      t.assert.equal(await api.ask(two.token({ key: one.key })), 'token_invalid_signature')
      t.assert.equal(await api.ask(one.token()), one.issuer)
      t.assert.equal(await api.ask(two.token()), two.issuer)
    }
  })

  test('of the one issuer that a function always returns is good for no other, and a line tells of it', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.find = () => ({ issuer: issuer.issuer, audience: 'api' })
    for (const iss of ['https://stranger.example', `${issuer.issuer}/`, issuer.issuer.toUpperCase()]) {
      t.assert.deepEqual(verdict(await call(api.app, await issuer.token({ claims: { iss } }))), unknownIssuer)
    }
    t.assert.deepEqual(issuer.requests, [])
    t.assert.equal(await api.ask(issuer.token()), issuer.issuer)
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

suite('a tenant', () => {
  test('who was removed is refused within the interval, with tokens that are known as well', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const accepted = eventsOf(t, diagnostics.tokenAccepted)
    const token = await issuer.token()
    for (let times = 0; times < 3; times += 1) await api.ask(token)
    t.assert.equal(accepted.at(-1)!.cached, true)
    api.tenants.clear()
    api.later = interval - 60_000
    t.assert.equal(await api.ask(token), issuer.issuer)
    api.later = interval
    t.assert.deepEqual(verdict(await call(api.app, token)), unknownIssuer)
    t.assert.equal(await api.ask(issuer.token()), 'invalid_claims')
  })

  test('who was just added works within one cooldown', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { cooldown: 5_000 } })
    const token = await issuer.token()
    t.assert.equal(await api.ask(token), 'invalid_claims')
    api.add(issuer)
    t.assert.equal(await api.ask(token), 'invalid_claims')
    api.later = 5_000
    t.assert.equal(await api.ask(token), issuer.issuer)
  })

  test('who was just added works at once with a cooldown of 0', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { cooldown: 0 } })
    t.assert.equal(await api.ask(issuer.token()), 'invalid_claims')
    api.add(issuer)
    t.assert.equal(await api.ask(issuer.token()), issuer.issuer)
  })

  test('who stays the same keeps keys and known tokens when the function is asked again', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const accepted = eventsOf(t, diagnostics.tokenAccepted)
    // Asked for now, while its keys are fetched later.
    t.assert.equal(await api.ask(unsignedToken({ alg: 'none' }, issuer.claims())), 'invalid_algorithm')
    api.later = 200_000
    const token = await issuer.token()
    for (let times = 0; times < 3; times += 1) await api.ask(token)
    api.later = interval
    t.assert.equal(await api.ask(token), issuer.issuer)
    t.assert.equal(accepted.at(-1)!.cached, true)
    t.assert.deepEqual([api.newlyAsked(), issuer.fetches], [2, 1])
  })

  test('who changed is judged by the new options, known tokens too', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const token = await issuer.token()
    for (let times = 0; times < 3; times += 1) t.assert.equal(await api.ask(token), issuer.issuer)
    api.add(issuer, { audience: 'web' })
    api.later = interval
    t.assert.equal(await api.ask(token), 'invalid_audience')
    t.assert.equal(await api.ask(issuer.token({ claims: { aud: 'web' } })), issuer.issuer)
    t.assert.equal(issuer.fetches, 2)
  })

  test('whose keys have moved is believed by the new ones alone', async (t) => {
    await using issuer = await LocalIssuer.start()
    await using elsewhere = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer, { jwksUri: issuer.jwksUri })
    const token = await issuer.token()
    t.assert.equal(await api.ask(token), issuer.issuer)
    api.add(issuer, { jwksUri: elsewhere.jwksUri })
    api.later = interval
    t.assert.equal(await api.ask(token), 'invalid_header')
    t.assert.equal(await api.ask(issuer.token({ key: elsewhere.key })), issuer.issuer)
    t.assert.deepEqual([issuer.fetches, elsewhere.fetches], [1, 1])
  })

  test('who leaves the memory while keys are fetched leaves no fetch behind', async (t) => {
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

test('requests that wait for one answer in vain have an error each', async (t) => {
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

suite('a function that fails', () => {
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
      test(`by ${how} ${title} refuses, unchanged and without a challenge, and is asked again`, async (t) => {
        await using issuer = await LocalIssuer.start()
        const api = await Api.start(t)
        const { find } = api
        const fail = (): never => {
          // What a callback may do.
          throw thrown as Error
        }
        api.find = how === 'throwing' ? fail : async () => fail()
        const refusals = eventsOf(t, diagnostics.tokenRefused)
        for (let times = 0; times < 2; times += 1) {
          const { challenge, ...response } = verdict(await call(api.app, await issuer.token()))
          t.assert.deepEqual([response.status, response.message, challenge], [status, message, undefined])
        }
        t.assert.deepEqual([api.newlyAsked(), refusals], [2, []])
        api.find = find
        api.add(issuer)
        t.assert.equal(await api.ask(issuer.token()), issuer.issuer)
      })
    }
  }

  test('by wrong options refuses the token, until they are right and a cooldown has passed', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { cooldown: 5_000 } })
    api.add(issuer, { clockTolerance: -1 })
    t.assert.deepEqual(verdict(await call(api.app, await issuer.token())), unknownIssuer)
    api.add(issuer)
    api.later = 5_000
    t.assert.equal(await api.ask(issuer.token()), issuer.issuer)
  })

  test('leaves a known tenant without an answer once the interval is over, and with the same keys after it', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(issuer)
    const { find } = api
    t.assert.equal(await api.ask(unsignedToken({ alg: 'none' }, issuer.claims())), 'invalid_algorithm')
    api.later = 200_000
    const token = await issuer.token()
    t.assert.equal(await api.ask(token), issuer.issuer)
    api.find = async () => Promise.reject(new Error('the database is down'))
    api.later = interval - 1_000
    t.assert.equal(await api.ask(token), issuer.issuer)
    api.later = interval
    t.assert.equal((await call(api.app, token)).statusCode, 500)
    api.find = find
    t.assert.equal(await api.ask(token), issuer.issuer)
    t.assert.equal(issuer.fetches, 1)
  })
})

suite('beside a function', () => {
  test('jwks.prefetch has nothing to fetch', async (t) => {
    await using issuer = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { prefetch: true } })
    api.add(issuer)
    await api.app.ready()
    t.assert.deepEqual([api.asked, issuer.requests], [[], []])
  })

  test('jwksStatus lists the issuers that are known, and no longer than the function speaks for them', async (t) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start()
    const api = await Api.start(t)
    const listed = (): object =>
      Object.fromEntries(api.app.jwksStatus().map(({ issuer, state }) => [issuer, state]))
    for (const issuer of [one, two]) api.add(issuer)
    two.on('/jwks', sendJson({}, 500))
    t.assert.deepEqual(listed(), {})
    for (const issuer of [one, two]) await api.ask(issuer.token())
    t.assert.deepEqual(listed(), { [one.issuer]: 'fresh', [two.issuer]: 'unavailable' })
    api.tenants.delete(two.issuer)
    api.later = interval
    t.assert.deepEqual(listed(), {})
    await api.ask(one.token())
    t.assert.deepEqual(listed(), { [one.issuer]: 'fresh' })
  })

  test('a refusal names the issuer of its token where that is known', async (t) => {
    await using tenant = await LocalIssuer.start()
    await using stranger = await LocalIssuer.start()
    const api = await Api.start(t)
    api.add(tenant)
    const refusals = eventsOf(t, diagnostics.tokenRefused)
    for (const issuer of [tenant, stranger]) await api.ask(issuer.token({ claims: { exp: 1 } }))
    t.assert.deepEqual(
      refusals.map(({ code, issuer }) => [code, issuer]),
      [
        ['token_expired', tenant.issuer],
        ['invalid_claims', undefined],
      ],
    )
  })

  test('close ends the fetches of every issuer, and an answer that comes later starts none', async (t) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start()
    const api = await Api.start(t, { jwks: { timeout: 60_000 } })
    let answer = (): void => {}
    const found = new Promise<void>((resolve) => (answer = resolve))
    api.find = async (iss) => {
      if (iss === two.issuer) await found
      return api.tenants.get(iss)
    }
    for (const issuer of [one, two]) api.add(issuer)
    let isClosed = false
    one.on('/jwks', (_request, response) => void response.on('close', () => (isClosed = true)))
    const waiting = [one, two].map(async (issuer) => call(api.app, await issuer.token()))
    await until(async () => one.fetches === 1 && api.asked.length === 2)
    const closing = api.app.close()
    await until(async () => isClosed)
    t.assert.equal((await waiting[0])!.statusCode, 503)
    answer()
    t.assert.equal((await waiting[1])!.statusCode, 503)
    await closing
    t.assert.deepEqual(two.requests, [])
  })

  test('two instances in scopes beside each other never accept each other’s tokens', async (t) => {
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
    // More than once, since a token is known from its third time on.
    for (let round = 0; round < 4; round += 1) {
      t.assert.equal((await call(app, tokens.one, '/one')).body, one.issuer)
      t.assert.equal((await call(app, tokens.two, '/two')).body, two.issuer)
      t.assert.equal(verdict(await call(app, tokens.one, '/two')).code, 'invalid_claims')
      t.assert.equal(verdict(await call(app, tokens.two, '/one')).code, 'invalid_claims')
      t.assert.equal(verdict(await call(app, forged.one, '/one')).code, 'token_invalid_signature')
      t.assert.equal(verdict(await call(app, forged.two, '/two')).code, 'token_invalid_signature')
    }
  })
})
