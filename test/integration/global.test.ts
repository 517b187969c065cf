import { once } from 'node:events'
import { suite, test, type TestContext } from 'node:test'
import cors from '@fastify/cors'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import { WebSocket } from 'ws'
import jwksAuth, { authenticate, authorize, type RouteAuthorization } from '../../lib/index.ts'
import { call, readAnswer } from '../helpers/app.ts'
import { LocalIssuer } from '../helpers/issuer.ts'
import { ordersOf, registerInSiblingScope } from '../helpers/orders.ts'

/** The option `global`, and the member `jwksAuth` of a route's `config`. */

const issuer = await LocalIssuer.start()
const options = { issuer: issuer.issuer, audience: 'api' }
const globally = { ...options, global: true }
test.after(() => issuer.close())

/** Declares a route for each kind of `config`. */
function declare(app: FastifyInstance): void {
  const routes: [url: string, config?: { jwksAuth?: RouteAuthorization }][] = [
    ['/plain'],
    ['/other', {}],
    ['/public', { jwksAuth: false }],
    ['/optional', { jwksAuth: 'optional' }],
    ['/ruled', { jwksAuth: { scope: 'a' } }],
    ['/checked', { jwksAuth: { check: ({ sub }, request) => sub === request.headers['x-user'] } }],
  ]
  for (const [url, config] of routes) {
    app.get(url, config ? { config } : {}, async ({ user }) => ({ user: user?.sub ?? null }))
  }
}

async function assertProtected(t: TestContext, app: FastifyInstance, isGlobal = true): Promise<void> {
  const token = await issuer.token({ claims: { scope: 'b' } })
  const scoped = await issuer.token({ claims: { scope: 'a' } })
  for (const url of isGlobal ? ['/plain', '/other', '/ruled', '/checked'] : ['/ruled', '/checked']) {
    const methods = ['GET', 'HEAD'] as const
    for (const method of methods) t.assert.equal((await app.inject({ method, url })).statusCode, 401, url)
    t.assert.equal(readAnswer(await app.inject(url)).code, 'authorization_header_missing', url)
    t.assert.equal(readAnswer(await call(app, 'opaque', url)).code, 'invalid_header', url)
  }
  const bare = isGlobal ? { user: 'someone' } : { user: null }
  for (const url of ['/plain', '/other']) t.assert.deepEqual((await call(app, token, url)).json(), bare)
  for (const url of ['/public', '/optional']) {
    t.assert.deepEqual((await app.inject(url)).json(), { user: null }, url)
    t.assert.equal((await app.inject({ method: 'HEAD', url })).statusCode, 200, url)
  }
  t.assert.deepEqual((await call(app, 'opaque', '/public')).json(), { user: null })
  t.assert.equal(readAnswer(await call(app, 'opaque', '/optional')).code, 'invalid_header')
  t.assert.deepEqual((await call(app, token, '/optional')).json(), { user: 'someone' })
  t.assert.equal(readAnswer(await call(app, token, '/ruled')).code, 'insufficient_scope')
  t.assert.deepEqual((await call(app, scoped, '/ruled')).json(), { user: 'someone' })
  t.assert.equal((await call(app, token, '/checked')).statusCode, 403)
  const headers = { authorization: `Bearer ${token}`, 'x-user': 'someone' }
  t.assert.equal((await app.inject({ url: '/checked', headers })).statusCode, 200)
}

for (const [title, build] of ordersOf(globally, declare)) {
  test(`with global every route does what its config says if it is declared ${title}`, async (t) => {
    const app = Fastify()
    await build(app)
    await assertProtected(t, app)
  })
}

for (const [title, build] of ordersOf(options, declare)) {
  test(`without global a route does what its config says if it is declared ${title}`, async (t) => {
    const app = Fastify()
    await build(app)
    await assertProtected(t, app, false)
  })
}

suite('global and other requests', () => {
  for (const [title, register] of [
    ['the default 404 handler', () => {}],
    [
      'a 404 handler of the application',
      (app: FastifyInstance) =>
        app.setNotFoundHandler({ preHandler: async () => {} }, async (_request, reply) =>
          reply.code(404).send({ statusCode: 404 }),
        ),
    ],
  ] as const) {
    test(`with global an unknown URL and an unknown method are a 404 with ${title}`, async (t) => {
      const app = Fastify()
      register(app)
      app.register(jwksAuth, globally)
      app.register(async (scope) => void scope.get('/', async () => 'in'), { prefix: '/known' })
      for (const url of ['/unknown', '/known/unknown']) {
        t.assert.equal((await app.inject(url)).statusCode, 404)
        t.assert.equal((await call(app, 'opaque', url)).statusCode, 404)
      }
      t.assert.equal((await app.inject({ method: 'POST', url: '/known' })).statusCode, 404)
      t.assert.equal((await app.inject('/known')).statusCode, 401)
    })
  }

  test('with global a route that calls the 404 handler requires a token first', async (t) => {
    const app = Fastify()
    app.register(jwksAuth, globally)
    app.get('/', (_request, reply) => reply.callNotFound())
    t.assert.equal((await app.inject('/')).statusCode, 401)
    t.assert.equal((await call(app, await issuer.token(), '/')).statusCode, 404)
  })

  test('with global a route for every method and a wildcard require a token', async (t) => {
    const app = Fastify()
    app.register(jwksAuth, globally)
    app.all('/all', async () => 'in')
    app.get('/files/*', async () => 'in')
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      t.assert.equal((await app.inject({ method, url: '/all' })).statusCode, 401, method)
    }
    t.assert.equal((await app.inject('/files/a/b')).statusCode, 401)
  })

  test('with global a request is refused before its body is read', async (t) => {
    const app = Fastify()
    app.register(jwksAuth, globally)
    app.post('/', async () => 'in')
    const headers = { 'content-type': 'application/json' }
    t.assert.equal((await app.inject({ method: 'POST', url: '/', headers, payload: '{' })).statusCode, 401)
  })

  const preflight = {
    method: 'OPTIONS',
    headers: { origin: 'https://shop.example', 'access-control-request-method': 'PUT' },
  } as const

  test('with global a preflight is answered by @fastify/cors if that is registered before', async (t) => {
    const app = Fastify()
    await app.register(cors, { methods: ['PUT'] })
    app.register(jwksAuth, globally)
    app.put('/', async () => 'in')
    const answered = await app.inject({ ...preflight, url: '/' })
    t.assert.equal(answered.statusCode, 204)
    t.assert.equal(answered.headers['access-control-allow-methods'], 'PUT')
    const refused = await app.inject({ method: 'PUT', url: '/', headers: preflight.headers })
    t.assert.equal(refused.statusCode, 401)
    t.assert.equal(refused.headers['access-control-allow-origin'], '*')
  })

  test('with global a preflight is refused if @fastify/cors is registered after', async (t) => {
    const app = Fastify()
    await app.register(jwksAuth, globally)
    app.register(cors, { methods: ['PUT'] })
    t.assert.equal((await app.inject({ ...preflight, url: '/' })).statusCode, 401)
  })

  test('with global a WebSocket route of @fastify/websocket requires a token', async (t) => {
    const app = Fastify()
    await app.register(websocket)
    app.register(jwksAuth, globally)
    app.register(async (scope) => {
      const say = (socket: WebSocket, text: string): void => socket.send(text)
      scope.get('/live', { websocket: true }, (socket, { user }) => say(socket, String(user.sub)))
      scope.get('/open', { websocket: true, config: { jwksAuth: false } }, (socket) => say(socket, 'open'))
    })
    const origin = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('http', 'ws')
    t.after(() => app.close())
    const first = async (url: string, headers = {}): Promise<unknown> => {
      const socket = new WebSocket(origin + url, { headers })
      const outcome = await Promise.race([
        once(socket, 'message').then(([data]) => String(data)),
        once(socket, 'unexpected-response').then(
          ([, response]) => (response as { statusCode: number }).statusCode,
        ),
      ])
      socket.terminate()
      return outcome
    }
    t.assert.equal(await first('/live'), 401)
    t.assert.equal(await first('/live', { authorization: `Bearer ${await issuer.token()}` }), 'someone')
    t.assert.equal(await first('/open'), 'open')
  })
})

suite('global and the hooks of a route', () => {
  test('with global a route may also have authorize, and a request is authenticated once', async (t) => {
    let formatted = 0
    const app = Fastify()
    app.register(jwksAuth, { ...globally, formatUser: () => ({ made: ++formatted }) as never })
    app.get('/', { onRequest: [authorize({ scope: 'a' }), authenticate] }, async ({ user }) => user)
    t.assert.equal((await app.inject('/')).statusCode, 401)
    t.assert.equal(readAnswer(await call(app, await issuer.token(), '/')).code, 'insufficient_scope')
    formatted = 0
    t.assert.deepEqual((await call(app, await issuer.token({ claims: { scope: 'a' } }), '/')).json(), {
      made: 1,
    })
  })

  test('a route without a token for global may still require one by a hook of its own', async (t) => {
    const app = Fastify()
    app.register(jwksAuth, globally)
    app.get('/', { config: { jwksAuth: false }, preHandler: authenticate }, async () => 'in')
    t.assert.equal((await app.inject('/')).statusCode, 401)
  })

  test('with global the hooks of a route keep their order and their list', async (t) => {
    const ran: string[] = []
    const app = Fastify()
    app.register(jwksAuth, globally)
    const hooks = ['one', 'two', 'three'].map((name) => async (): Promise<void> => void ran.push(name))
    const onRequest = [...hooks]
    app.get('/', { onRequest }, async () => 'in')
    await app.inject('/')
    t.assert.deepEqual(ran, [])
    await call(app, await issuer.token(), '/')
    t.assert.deepEqual(ran, ['one', 'two', 'three'])
    t.assert.deepEqual(onRequest, hooks)
  })
})

suite('the scope of global', () => {
  test('global leaves the routes of other scopes as they are', async (t) => {
    const app = Fastify()
    app.register(async (scope) => {
      scope.register(jwksAuth, globally)
      scope.get('/inside', async () => 'in')
    })
    app.register(async (scope) => void scope.get('/beside', async () => 'in'))
    app.get('/outside', async () => 'in')
    t.assert.equal((await app.inject('/inside')).statusCode, 401)
    for (const url of ['/beside', '/outside']) t.assert.equal((await app.inject(url)).statusCode, 200)
  })

  test('with global the nearest plugin verifies the requests of a route', async (t) => {
    await using other = await LocalIssuer.start()
    const app = Fastify()
    app.register(async (scope) => {
      await scope.register(jwksAuth, { issuer: other.issuer, audience: 'api' })
      scope.get('/inner', async () => 'in')
    })
    app.register(jwksAuth, globally)
    t.assert.equal((await app.inject('/inner')).statusCode, 401)
    t.assert.equal((await call(app, await issuer.token(), '/inner')).statusCode, 401)
    t.assert.equal((await call(app, await other.token(), '/inner')).statusCode, 200)
  })

  const warning = /^fastify-jwks-auth is registered in a scope that has no routes/
  const rows: [title: string, warned: boolean, build: (app: FastifyInstance) => void][] = [
    [
      'a plugin without fastify-plugin registers it',
      true,
      (app) => {
        registerInSiblingScope(app, globally)
        app.get('/', async () => 'open')
      },
    ],
    [
      'the scope has a route that is declared before',
      false,
      (app) => {
        app.register(async (scope) => {
          scope.get('/', async () => 'in')
          scope.register(jwksAuth, globally)
        })
      },
    ],
    ['the server has no routes', false, (app) => void app.register(jwksAuth, globally)],
    [
      'a plugin without fastify-plugin registers it without global',
      true,
      (app) => {
        registerInSiblingScope(app, options)
        app.get('/', async () => 'open')
      },
    ],
  ]
  for (const [title, warned, build] of rows) {
    test(`the log ${warned ? 'warns' : "doesn't warn"} that the plugin protects no route if ${title}`, async (t) => {
      const { app, lines } = logged()
      build(app)
      await app.ready()
      t.assert.equal(lines.filter(({ msg }) => warning.test(msg)).length, warned ? 1 : 0)
    })
  }
})

suite('a wrong config', () => {
  const rows: [value: unknown, name: string, right: string][] = [
    [true, 'config.jwksAuth', "must be false, 'optional' or a rule, as in { scope: … }"],
    [null, 'config.jwksAuth', "must be false, 'optional' or a rule, as in { scope: … }"],
    ['required', 'config.jwksAuth', "must be false, 'optional' or a rule, as in { scope: … }"],
    [{}, 'config.jwksAuth', 'must have at least one of scope, anyScope, claims, acr, maxAuthAge, check'],
    [
      { scopes: 'a' },
      'config.jwksAuth.scopes',
      'is unknown; known are scope, anyScope, claims, acr, maxAuthAge, check; did you mean "config.jwksAuth.scope"?',
    ],
    [{ scope: '' }, 'config.jwksAuth.scope', 'must be a non-empty string'],
    [authorize({ scope: 'a' }), 'config.jwksAuth', "must be false, 'optional' or a rule, as in { scope: … }"],
  ]
  for (const [value, name, right] of rows) {
    const shown = typeof value === 'function' ? 'a hook' : JSON.stringify(value)
    const route = {
      url: '/',
      method: 'GET',
      config: { jwksAuth: value },
      handler: async () => 'open',
    } as RouteOptions
    const message = `fastify-jwks-auth: option "${name}" ${right}`

    for (const isGlobal of [true, false]) {
      test(`${shown} in the config is a TypeError where the route is declared, with global: ${isGlobal}`, async (t) => {
        const app = Fastify()
        await app.register(jwksAuth, { ...options, global: isGlobal })
        t.assert.throws(() => app.route(route), { name: 'TypeError', message })
        const scope = app.register(async (inner) => void inner.route(route))
        await t.assert.rejects(async () => scope, { name: 'TypeError', message })
      })

      test(`${shown} in the config of a route that is older than the plugin is a 500, with global: ${isGlobal}`, async (t) => {
        const { app, lines } = logged()
        app.route(route)
        app.register(jwksAuth, { ...options, global: isGlobal })
        for (const response of [await app.inject('/'), await call(app, await issuer.token(), '/')]) {
          t.assert.equal(response.statusCode, 500)
          t.assert.equal(response.json<{ message: string }>().message, 'Internal Server Error')
        }
        const reason = lines.find(({ msg }) =>
          msg.startsWith("the member jwksAuth of this route's config is wrong"),
        )
        t.assert.equal(reason!.err!.message, message)
        t.assert.equal(reason!.url, '/')
      })
    }
  }
})

interface Line {
  msg: string
  url?: string
  err?: { message: string }
}

function logged(): { app: FastifyInstance; lines: Line[] } {
  const lines: Line[] = []
  const stream = { write: (line: string): void => void lines.push(JSON.parse(line)) }
  return { app: Fastify({ logger: { level: 'warn', stream } }), lines }
}
