import { suite, test, type TestContext } from 'node:test'
import fastifyAuth from '@fastify/auth'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import jwksAuth, { authenticate, authenticateOptional, authorize } from '../../lib/index.ts'
import { call, readAnswer } from '../helpers/app.ts'
import { LocalIssuer } from '../helpers/issuer.ts'
import { ordersOf, registerInSiblingScope } from '../helpers/orders.ts'

/** The exported hooks, which find the plugin when a request arrives. */

const issuer = await LocalIssuer.start()
const options = { issuer: issuer.issuer, audience: 'api' }
test.after(() => issuer.close())

/** Declares a route for each hook. The handlers report that they ran. */
function declare(app: FastifyInstance, ran: string[] = []): void {
  const handler = async ({ user, url }: FastifyRequest): Promise<object> => {
    ran.push(url)
    return { user }
  }
  app.get('/secured', { onRequest: authenticate }, handler)
  app.get('/optional', { onRequest: authenticateOptional }, handler)
  app.get('/ruled', { onRequest: authorize({ scope: 'a' }) }, handler)
}

async function assertProtected(t: TestContext, app: FastifyInstance): Promise<void> {
  for (const url of ['/secured', '/ruled']) {
    t.assert.equal(readAnswer(await app.inject(url)).code, 'authorization_header_missing', url)
    t.assert.equal(readAnswer(await call(app, 'opaque', url)).code, 'invalid_header', url)
  }
  t.assert.deepEqual((await app.inject('/optional')).json(), { user: null })
  t.assert.equal(readAnswer(await call(app, 'opaque', '/optional')).code, 'invalid_header')
  t.assert.equal(readAnswer(await call(app, await issuer.token(), '/ruled')).code, 'insufficient_scope')
  const token = await issuer.token({ claims: { scope: 'a' } })
  for (const url of ['/secured', '/optional', '/ruled']) {
    const { user } = (await call(app, token, url)).json<{ user: { sub: string } }>()
    t.assert.equal(user.sub, 'someone', url)
  }
}

for (const [title, build] of ordersOf(options, declare)) {
  test(`routes with the exported hooks are protected if they are declared ${title}`, async (t) => {
    const app = Fastify()
    await build(app)
    await assertProtected(t, app)
  })
}

suite('a route without a plugin in its scope', () => {
  const nowhere = (): void => {}
  const sibling = (app: FastifyInstance): void => registerInSiblingScope(app, options)
  const nested = (app: FastifyInstance): void => {
    app.register(async (scope) => sibling(scope))
  }

  for (const [title, register] of [
    ['nowhere', nowhere],
    ['in a sibling scope', sibling],
    ['in a scope of a scope', nested],
  ] as const) {
    for (const first of ['route', 'plugin']) {
      test(`a request is a 500 and no handler runs if the plugin is registered ${title}, the ${first} first`, async (t) => {
        const lines: { msg: string; method?: string; url?: string }[] = []
        const stream = { write: (line: string): void => void lines.push(JSON.parse(line)) }
        const app = Fastify({ logger: { level: 'error', stream } })
        const ran: string[] = []
        if (first === 'route') declare(app, ran)
        register(app)
        if (first === 'plugin') declare(app, ran)
        const token = await issuer.token({ claims: { scope: 'a' } })
        for (const url of ['/secured', '/optional', '/ruled']) {
          for (const response of [await app.inject(url), await call(app, token, url)]) {
            t.assert.equal(response.statusCode, 500)
            t.assert.deepEqual(response.json(), {
              statusCode: 500,
              error: 'Internal Server Error',
              message: 'Internal Server Error',
            })
            t.assert.equal(response.headers['www-authenticate'], undefined)
          }
        }
        t.assert.deepEqual(ran, [])
        const reasons = lines.filter(({ msg }) => msg.startsWith('fastify-jwks-auth is not registered'))
        t.assert.deepEqual(
          reasons.map(({ method, url }) => `${method} ${url}`),
          ['/secured', '/optional', '/ruled'].flatMap((url) => [`GET ${url}`, `GET ${url}`]),
        )
      })
    }
  }
})

suite('the places of an exported hook', () => {
  for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
    test(`the exported hooks work as ${hook}`, async (t) => {
      const app = Fastify()
      app.register(jwksAuth, options)
      app.post('/secured', { [hook]: authenticate }, async ({ body }) => body)
      app.post('/ruled', { [hook]: [authorize({ scope: 'a' })] }, async ({ body }) => body)
      const headers = { authorization: `Bearer ${await issuer.token({ claims: { scope: 'a' } })}` }
      for (const url of ['/secured', '/ruled']) {
        const payload = { a: 1 }
        t.assert.equal((await app.inject({ method: 'POST', url, payload })).statusCode, 401)
        t.assert.deepEqual((await app.inject({ method: 'POST', url, headers, payload })).json(), payload)
      }
    })
  }

  test('an exported hook works for a whole scope, whose plugin is registered later', async (t) => {
    const app = Fastify()
    app.addHook('onRequest', authenticate)
    app.get('/', async (request) => request.user.sub)
    app.register(jwksAuth, options)
    t.assert.equal((await app.inject('/')).statusCode, 401)
    t.assert.equal((await call(app, await issuer.token(), '/')).body, 'someone')
  })

  test('an exported hook may be awaited in a handler', async (t) => {
    const app = Fastify()
    app.register(jwksAuth, options)
    app.get('/', async (request, reply) => {
      await authorize({ scope: 'a' })(request, reply)
      return request.user.sub
    })
    t.assert.equal((await app.inject('/')).statusCode, 401)
    t.assert.equal((await call(app, await issuer.token(), '/')).statusCode, 403)
    t.assert.equal((await call(app, await issuer.token({ claims: { scope: 'a' } }), '/')).body, 'someone')
  })

  test('an exported hook that is awaited without a plugin rejects', async (t) => {
    const app = Fastify()
    app.get('/', async (request, reply) => {
      await authenticate(request, reply)
      return 'in'
    })
    t.assert.equal((await app.inject('/')).statusCode, 500)
  })

  test('an exported hook works with another strategy in @fastify/auth', async (t) => {
    const app = Fastify()
    app.register(jwksAuth, options)
    await app.register(fastifyAuth)
    const apiKey = async (request: FastifyRequest): Promise<void> => {
      if (request.headers['x-key'] !== 'good') throw new Error('no key')
    }
    app.get('/', { onRequest: app.auth([apiKey, authenticate]) }, async ({ user }) => ({ user }))
    const byToken = await call(app, await issuer.token(), '/')
    t.assert.equal(byToken.json<{ user: { sub: string } }>().user.sub, 'someone')
    const byKey = await app.inject({ url: '/', headers: { 'x-key': 'good' } })
    t.assert.deepEqual(byKey.json(), { user: null })
    t.assert.equal(readAnswer(await app.inject('/')).code, 'authorization_header_missing')
  })

  test('a request is authenticated once, by whichever hooks', async (t) => {
    let formatted = 0
    const app = Fastify()
    await app.register(jwksAuth, { ...options, formatUser: () => ({ made: ++formatted }) as never })
    const hooks = [
      authenticate,
      app.authenticate,
      authorize({ claims: { sub: 'someone' } }),
      authenticateOptional,
    ]
    app.get('/', { onRequest: hooks, preHandler: hooks.toReversed() }, async (request) => request.user)
    t.assert.deepEqual((await call(app, await issuer.token(), '/')).json(), { made: 1 })
  })
})

test('the nearest plugin verifies the requests of a route', async (t) => {
  await using other = await LocalIssuer.start()
  const app = Fastify()
  app.register(async (scope) => {
    await scope.register(jwksAuth, { issuer: other.issuer, audience: 'api' })
    scope.get('/inner', { onRequest: authenticate }, async () => 'in')
  })
  app.register(jwksAuth, options)
  app.get('/outer', { onRequest: authenticate }, async () => 'in')
  const statusOf = async (token: string, url: string): Promise<number> =>
    (await call(app, token, url)).statusCode
  t.assert.equal(await statusOf(await issuer.token(), '/outer'), 200)
  t.assert.equal(await statusOf(await issuer.token(), '/inner'), 401)
  t.assert.equal(await statusOf(await other.token(), '/inner'), 200)
  t.assert.equal(await statusOf(await other.token(), '/outer'), 401)
})

for (const rule of [undefined, {}, { scope: '' }, { scopes: 'a' }, { check: true }]) {
  test(`authorize(${JSON.stringify(rule)}) is a TypeError where the route is declared, without a plugin as well`, (t) => {
    t.assert.throws(() => authorize(rule as never), { name: 'TypeError', message: /option "authorize/ })
  })
}
