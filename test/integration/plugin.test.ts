import { once } from 'node:events'
import { connect } from 'node:http2'
import { suite, test } from 'node:test'
import fastifyAuth from '@fastify/auth'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest } from 'fastify'
import jwksAuth, {
  authenticate,
  authenticateOptional,
  JwksAuthError,
  type AuthenticateHook,
} from '../../lib/index.ts'
import { call, createApp, readAnswer } from '../helpers/app.ts'
import { LocalIssuer } from '../helpers/issuer.ts'

const issuer = await LocalIssuer.start()
const options = { issuer: issuer.issuer, audience: 'api' }
test.after(() => issuer.close())

suite('a callback that throws undefined', () => {
  const throwsNothing = (): never => {
    throw undefined
  }
  const rejectsNothing = async (): Promise<never> => throwsNothing()

  for (const [how, callback] of [
    ['throws', throwsNothing],
    ['rejects with', rejectsNothing],
  ] as const) {
    for (const name of ['getToken', 'isRevoked', 'formatUser'] as const) {
      test(`a request is refused if ${name} ${how} undefined`, async (t) => {
        const app = await createApp({ ...options, [name]: callback })
        t.after(() => app.close())
        t.assert.equal((await call(app, await issuer.token())).statusCode, 500)
      })
    }

    test(`a request is refused if check ${how} undefined`, async (t) => {
      const app = await createApp(options)
      t.after(() => app.close())
      const onRequest = [app.authorize({ check: callback }), app.authenticate]
      app.get('/checked', { onRequest }, async () => 'inside')
      t.assert.equal((await call(app, await issuer.token(), '/checked')).statusCode, 500)
    })
  }
})

suite('authenticate', () => {
  for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
    test(`authenticate works as ${hook}`, async (t) => {
      const app = await createApp(options)
      app.post('/', { [hook]: app.authenticate }, async (request) => ({
        sub: request.user.sub,
        body: request.body,
      }))
      const headers = { authorization: `Bearer ${await issuer.token()}` }
      const accepted = await app.inject({ method: 'POST', url: '/', headers, payload: { a: 1 } })
      t.assert.deepEqual(accepted.json(), { sub: 'someone', body: { a: 1 } })
      const refused = await app.inject({ method: 'POST', url: '/', payload: { a: 1 } })
      t.assert.equal(readAnswer(refused).code, 'authorization_header_missing')
    })
  }

  test('authenticate works on an HTTP/2 server', async (t) => {
    const app = Fastify({ http2: true })
    await app.register(jwksAuth, options)
    app.get('/', { onRequest: app.authenticate }, async (request) => request.user.sub)
    const origin = await app.listen()
    const session = connect(origin)
    t.after(async () => {
      session.destroy()
      await app.close()
    })
    const status = async (headers: Record<string, string>): Promise<number> => {
      const stream = session.request({ ':path': '/', ...headers })
      const [{ ':status': code }] = (await once(stream, 'response')) as [{ ':status': number }]
      stream.close()
      return code
    }
    t.assert.equal(await status({}), 401)
    t.assert.equal(await status({ authorization: `Bearer ${await issuer.token()}` }), 200)
  })

  test('authenticate works as a hook of the whole instance', async (t) => {
    const app = Fastify()
    await app.register(jwksAuth, options)
    app.addHook('onRequest', app.authenticate)
    app.get('/', async (request) => request.user.sub)
    t.assert.equal((await app.inject('/')).statusCode, 401)
    t.assert.equal((await call(app, await issuer.token(), '/')).body, 'someone')
  })

  test('authenticate may be awaited in a handler', async (t) => {
    const app = await createApp(options)
    app.get('/', async (request, reply) => {
      await app.authenticate(request, reply)
      return request.user.sub
    })
    t.assert.equal(readAnswer(await app.inject('/')).code, 'authorization_header_missing')
    t.assert.equal((await call(app, await issuer.token(), '/')).body, 'someone')
  })

  test('authenticate throws a JwksAuthError with a code and a status', async (t) => {
    const app = await createApp(options)
    app.get('/', async (request, reply) => {
      const error: unknown = await app.authenticate(request, reply).catch((reason: unknown) => reason)
      if (!(error instanceof JwksAuthError && error instanceof Error)) throw error
      t.assert.equal(error.name, 'JwksAuthError')
      return [error.code, error.statusCode]
    })
    t.assert.deepEqual((await app.inject('/')).json(), ['authorization_header_missing', 401])
  })

  test('authenticate works with another strategy in @fastify/auth', async (t) => {
    const app = Fastify()
    await app.register(jwksAuth, options)
    await app.register(fastifyAuth)
    const apiKey = async (request: FastifyRequest): Promise<void> => {
      if (request.headers['x-key'] !== 'good') throw new Error('no key')
    }
    app.get('/', { onRequest: app.auth([apiKey, app.authenticate]) }, async (request) => ({
      user: request.user,
    }))
    const byToken = await call(app, await issuer.token(), '/')
    t.assert.equal(byToken.json<{ user: { sub: string } }>().user.sub, 'someone')
    const byKey = await app.inject({ url: '/', headers: { 'x-key': 'good' } })
    t.assert.deepEqual(byKey.json(), { user: null })
    t.assert.equal(readAnswer(await app.inject('/')).code, 'authorization_header_missing')
  })

  test('an error that is no refusal is passed on without a challenge', async (t) => {
    const app = await createApp(options)
    const meddle = async (request: FastifyRequest): Promise<void> => {
      Object.defineProperty(request, 'headers', {
        get: () => {
          throw new Error('meddled with')
        },
      })
    }
    app.get('/', { onRequest: [meddle, app.authenticate] }, async () => 'x')
    const response = await app.inject('/')
    t.assert.equal(response.statusCode, 500)
    t.assert.equal(response.headers['www-authenticate'], undefined)
  })

  test("authenticate doesn't skip OPTIONS requests", async (t) => {
    const app = await createApp(options)
    app.options('/', { onRequest: app.authenticate }, async () => 'x')
    t.assert.equal((await app.inject({ method: 'OPTIONS', url: '/' })).statusCode, 401)
  })

  test('a second authenticate in one request does nothing', async (t) => {
    let formatted = 0
    const app = await createApp({ ...options, formatUser: () => ({ made: ++formatted }) as never })
    app.get(
      '/',
      { onRequest: app.authenticate, preHandler: [app.authenticate, app.authenticateOptional] },
      async (request) => request.user,
    )
    t.assert.deepEqual((await call(app, await issuer.token(), '/')).json(), { made: 1 })
  })
})

suite('the instance that verifies a request', () => {
  /** Declares routes before the plugin is registered, so that their requests have none of its decorators. */
  async function createOlder(): Promise<FastifyInstance> {
    const app = Fastify()
    app.register(async (scope) => {
      scope.get(
        '/secured',
        { onRequest: (request, reply) => app.authenticate(request, reply) },
        async () => 'in',
      )
      scope.get(
        '/optional',
        { onRequest: (request, reply) => app.authenticateOptional(request, reply) },
        async (request) => ({ user: request.user }),
      )
      scope.get(
        '/scope',
        { onRequest: (request, reply) => app.authorize({ scope: 'a' })(request, reply) },
        async () => 'in',
      )
    })
    await app.register(jwksAuth, options)
    return app
  }

  test('a request is verified in a scope that was declared before the plugin', async (t) => {
    const app = await createOlder()
    for (const url of ['/secured', '/scope']) {
      t.assert.equal(readAnswer(await app.inject(url)).code, 'authorization_header_missing', url)
      t.assert.equal(readAnswer(await call(app, 'opaque', url)).code, 'invalid_header', url)
    }
    t.assert.deepEqual((await app.inject('/optional')).json(), { user: null })
    t.assert.equal(readAnswer(await call(app, 'opaque', '/optional')).code, 'invalid_header')
    const token = await issuer.token({ claims: { scope: 'a' } })
    for (const url of ['/secured', '/scope'])
      t.assert.equal((await call(app, token, url)).statusCode, 200, url)
  })

  test('a request is verified by each instance whose hook it has', async (t) => {
    await using other = await LocalIssuer.start()
    const app = Fastify()
    const hooks: AuthenticateHook[] = []
    for (const issuerOfScope of [issuer, other]) {
      app.register(async (scope) => {
        await scope.register(jwksAuth, { issuer: issuerOfScope.issuer, audience: 'api' })
        hooks.push(scope.authenticate)
        if (hooks.length === 2) scope.get('/both', { onRequest: hooks }, async () => 'in')
      })
    }
    t.assert.equal(readAnswer(await call(app, await issuer.token(), '/both')).code, 'invalid_claims')
    t.assert.equal(readAnswer(await call(app, await other.token(), '/both')).code, 'invalid_claims')
  })

  test('a request is verified although the application has set accessToken', async (t) => {
    const app = Fastify()
    await app.register(jwksAuth, options)
    app.addHook('onRequest', async (request) => void (request.accessToken = {} as never))
    app.get('/', { preHandler: app.authenticate }, async () => 'in')
    t.assert.equal((await app.inject('/')).statusCode, 401)
  })
})

suite('authenticateOptional', () => {
  test('authenticateOptional permits a request without an Authorization header', async (t) => {
    const app = await createApp(options)
    const response = await app.inject('/optional')
    t.assert.deepEqual(response.json(), { user: null })
    t.assert.equal(response.headers['www-authenticate'], undefined)
  })

  test('authenticateOptional sets the user of a good token', async (t) => {
    const app = await createApp(options)
    const response = await call(app, await issuer.token(), '/optional')
    t.assert.equal(response.json<{ user: { sub: string } }>().user.sub, 'someone')
  })

  for (const authorization of ['', 'Bearer', 'Basic YTpi', 'Bearer x', 'Bearer a b']) {
    test(`authenticateOptional refuses the header "${authorization}"`, async (t) => {
      const app = await createApp(options)
      t.assert.equal((await app.inject({ url: '/optional', headers: { authorization } })).statusCode, 401)
    })
  }

  test('authenticateOptional refuses an expired token', async (t) => {
    const app = await createApp(options)
    const response = await call(app, await issuer.token({ claims: { exp: 1 } }), '/optional')
    t.assert.equal(readAnswer(response).code, 'token_expired')
  })
})

suite('decoratorName', () => {
  type Named = Record<'auth', unknown>

  test('decoratorName holds the user, and request.user is left to the application', async (t) => {
    const app = Fastify()
    app.decorateRequest('user', 'mine' as never)
    await app.register(jwksAuth, { ...options, decoratorName: 'auth' })
    const handler = async (request: FastifyRequest): Promise<object> => ({
      auth: (request as unknown as Named).auth,
      user: request.user,
      raw: request.accessToken?.raw,
    })
    app.get('/secured', { onRequest: authenticate }, handler)
    app.get('/optional', { onRequest: authenticateOptional }, handler)
    app.get('/public', handler)
    const token = await issuer.token()
    const { auth, user, raw } = (await call(app, token)).json<{
      auth: { sub: string }
      user: string
      raw: string
    }>()
    t.assert.deepEqual([auth.sub, user, raw], ['someone', 'mine', token])
    for (const url of ['/optional', '/public']) {
      t.assert.deepEqual((await app.inject(url)).json(), { auth: null, user: 'mine' })
    }
  })

  test('decoratorName holds the result of formatUser', async (t) => {
    const app = Fastify()
    const formatUser = ({ sub }: { sub?: string }): never => ({ id: sub }) as never
    await app.register(jwksAuth, { ...options, decoratorName: 'auth', formatUser })
    app.get('/secured', { onRequest: authenticate }, async (request) => (request as unknown as Named).auth)
    t.assert.deepEqual((await call(app, await issuer.token())).json(), { id: 'someone' })
  })

  test('a decoratorName that exists already is an error that names it', async (t) => {
    const app = Fastify()
    app.decorateRequest('auth', null)
    const registered = app.register(jwksAuth, { ...options, decoratorName: 'auth' })
    await t.assert.rejects(async () => registered, /the decorator "auth" exists already/)
  })

  for (const name of ['headers', 'body', 'id', '__proto__']) {
    test(`the decoratorName ${name}, which every request has, is an error`, async (t) => {
      const registered = Fastify().register(jwksAuth, { ...options, decoratorName: name })
      await t.assert.rejects(async () => registered, /already/)
    })
  }
})

suite('user and accessToken', () => {
  test('user and accessToken are null if the request was not authenticated', async (t) => {
    const app = await createApp(options)
    app.get('/', async (request) => [request.user, request.accessToken])
    t.assert.deepEqual((await app.inject('/')).json(), [null, null])
  })

  test('user and accessToken stay null if the token is refused', async (t) => {
    const app = await createApp(options)
    app.get('/', async (request, reply) => {
      await app.authenticate(request, reply).catch(() => {})
      return [request.user, request.accessToken]
    })
    t.assert.deepEqual((await call(app, await issuer.token({ claims: { exp: 1 } }), '/')).json(), [
      null,
      null,
    ])
  })

  test('the claims and the header are frozen at every depth', async (t) => {
    const app = await createApp(options)
    app.get('/', { onRequest: app.authenticate }, async (request) => {
      const { claims, header } = request.accessToken!
      t.assert.equal(request.user, claims)
      t.assert.throws(() => void ((claims as { sub: string }).sub = 'x'), TypeError)
      t.assert.throws(() => void (claims.deep as unknown[]).push(1), TypeError)
      t.assert.throws(() => void ((claims.deep as { a: { b: number } }[])[0]!.a.b = 2), TypeError)
      t.assert.equal(Object.isFrozen(request.accessToken), true)
      t.assert.throws(() => void ((header as { alg: string }).alg = 'x'), TypeError)
      return 'frozen'
    })
    const token = await issuer.token({ claims: { deep: [{ a: { b: 1 } }] } })
    t.assert.equal((await call(app, token, '/')).body, 'frozen')
  })

  test('accessToken has the claims, the header and the token itself', async (t) => {
    const app = await createApp(options)
    app.get('/', { onRequest: app.authenticate }, async (request) => request.accessToken)
    const token = await issuer.token()
    const held = (await call(app, token, '/')).json<{
      claims: { sub: string }
      header: object
      raw: string
    }>()
    t.assert.equal(held.claims.sub, 'someone')
    t.assert.deepEqual(held.header, { alg: 'ES256', kid: issuer.key.jwk.kid })
    t.assert.equal(held.raw, token)
  })

  test('concurrent requests have their own users', async (t) => {
    const app = await createApp(options)
    const subjects = Array.from({ length: 50 }, (_, index) => `user ${index}`)
    const answers = await Promise.all(
      subjects.map(async (sub) => call(app, await issuer.token({ claims: { sub } }))),
    )
    t.assert.deepEqual(
      answers.map((answer) => answer.json<{ user: { sub: string } }>().user.sub),
      subjects,
    )
  })
})

suite('getToken', () => {
  const fromQuery = (request: FastifyRequest): string | undefined =>
    (request.query as { token?: string }).token

  test('getToken replaces the Authorization header', async (t) => {
    const app = await createApp({ ...options, getToken: fromQuery })
    const token = await issuer.token()
    t.assert.equal((await app.inject(`/secured?token=${token}`)).statusCode, 200)
    t.assert.equal(readAnswer(await call(app, token)).code, 'authorization_header_missing')
    t.assert.deepEqual((await call(app, token, '/optional')).json(), { user: null })
  })

  for (const [title, value] of [
    ['an empty string', ''],
    ['a list', ['a']],
    ['a promise of an opaque token', Promise.resolve('x')],
    ['an object', {}],
  ] as const) {
    test(`${title} from getToken is not a readable token`, async (t) => {
      const app = await createApp({ ...options, getToken: () => value as never })
      for (const url of ['/secured', '/optional']) {
        t.assert.equal(readAnswer(await app.inject(url)).message, 'Unable to parse authentication token.')
      }
    })
  }

  test('getToken may be asynchronous', async (t) => {
    const app = await createApp({ ...options, getToken: async (request) => fromQuery(request) })
    t.assert.equal((await app.inject(`/secured?token=${await issuer.token()}`)).statusCode, 200)
    t.assert.equal(readAnswer(await app.inject('/secured')).code, 'authorization_header_missing')
  })

  test('null from getToken is no token', async (t) => {
    const app = await createApp({ ...options, getToken: () => null as never })
    t.assert.equal(readAnswer(await app.inject('/secured')).code, 'authorization_header_missing')
    t.assert.deepEqual((await app.inject('/optional')).json(), { user: null })
  })

  const mine = Object.assign(new Error('mine'), { statusCode: 418 })
  for (const [title, getToken] of [
    [
      'throws',
      () => {
        throw mine
      },
    ],
    ['rejects with', () => Promise.reject(mine)],
  ] as const) {
    test(`an error that getToken ${title} is passed on unchanged and without a challenge`, async (t) => {
      const app = await createApp({ ...options, getToken })
      for (const url of ['/secured', '/optional']) {
        t.assert.deepEqual(readAnswer(await app.inject(url)), {
          status: 418,
          code: undefined,
          message: 'mine',
          challenge: undefined,
        })
      }
    })
  }
})

suite('formatUser', () => {
  test('formatUser makes the user of each request from the claims and the request', async (t) => {
    const formatUser = (claims: { sub?: string }, request: FastifyRequest): never =>
      ({ id: claims.sub, url: request.url }) as never
    const app = await createApp({ ...options, formatUser })
    const token = await issuer.token()
    t.assert.deepEqual((await call(app, token)).json(), { user: { id: 'someone', url: '/secured' } })
    t.assert.deepEqual((await call(app, token, '/optional')).json(), {
      user: { id: 'someone', url: '/optional' },
    })
  })

  test('formatUser may be asynchronous, and its result is not frozen', async (t) => {
    const app = await createApp({ ...options, formatUser: async (claims) => ({ id: claims.sub }) as never })
    app.get('/', { onRequest: app.authenticate }, async (request) => {
      Object.assign(request.user, { more: 1 })
      return request.user
    })
    t.assert.deepEqual((await call(app, await issuer.token(), '/')).json(), { id: 'someone', more: 1 })
  })

  for (const [title, formatUser] of [
    [
      'throws',
      () => {
        throw new JwksAuthError({ code: 'invalid_claims', statusCode: 401, message: 'mine' })
      },
    ],
    [
      'rejects with',
      async () => {
        throw new JwksAuthError({ code: 'invalid_claims', statusCode: 401, message: 'mine' })
      },
    ],
  ] as const) {
    test(`an error that formatUser ${title} is passed on unchanged, without a challenge and without a user`, async (t) => {
      const app = await createApp({ ...options, formatUser })
      let left: unknown
      app.addHook('onResponse', async (request) => void (left = [request.user, request.accessToken]))
      const response = await call(app, await issuer.token())
      t.assert.deepEqual(readAnswer(response), {
        status: 401,
        code: 'invalid_claims',
        message: 'mine',
        challenge: undefined,
      })
      t.assert.deepEqual(left, [null, null])
    })
  }
})

test('an error of the application’s logger is passed on unchanged, and the request is refused', async (t) => {
  const full = (): never => {
    throw new Error('no space left')
  }
  const quiet = (): void => {}
  const log = {
    level: 'info',
    fatal: quiet,
    error: quiet,
    warn: full,
    // Fastify's own lines about the request and its response don't throw.
    info: (entry: object) => ('req' in entry || 'res' in entry ? quiet() : full()),
    debug: quiet,
    trace: quiet,
  }
  const loggerInstance: FastifyBaseLogger = { ...log, silent: quiet, child: () => loggerInstance }
  const app: FastifyInstance = Fastify({ loggerInstance })
  await app.register(jwksAuth, { issuer: 'https://another.example.com/', audience: 'api' })
  t.after(() => app.close())
  app.get('/secured', { onRequest: [app.authenticate] }, async () => 'in')
  const response = await call(app, await issuer.token())
  t.assert.deepEqual(
    [response.statusCode, response.json<{ message: string }>().message],
    [500, 'no space left'],
  )
})
