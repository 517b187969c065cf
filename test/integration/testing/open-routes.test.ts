import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { suite, test } from 'node:test'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, authorize } from '../../../lib/index.ts'
import { createTestIssuer, openRoutes } from '../../../lib/testing/index.ts'

/** openRoutes, which finds the routes that need no token. */

const issuer = await createTestIssuer()
test.after(() => issuer.close())

const handler = async (): Promise<string> => 'in'

/** The open routes of an application that these steps make. */
async function openOf(...steps: ((app: FastifyInstance) => unknown)[]): Promise<string[]> {
  return openRoutes(() => {
    const app = Fastify()
    for (const step of steps) step(app)
    return app
  })
}

const register = (app: FastifyInstance): unknown => app.register(jwksAuth, issuer.options)
const registerGlobally = (app: FastifyInstance): unknown =>
  app.register(jwksAuth, { ...issuer.options, global: true })

suite('openRoutes and the usual mistakes', () => {
  const undefinedHook = (app: FastifyInstance): unknown =>
    app.get('/secured', { onRequest: app.authenticate }, handler)
  const sibling = (app: FastifyInstance): unknown =>
    app.register(async (scope) => void (await register(scope)))

  for (const [title, steps] of [
    ['declared without awaiting the registration', [register, undefinedHook]],
    ['declared before the plugin', [undefinedHook, register]],
    ['next to a plugin without fastify-plugin', [sibling, undefinedHook]],
  ] as const) {
    test(`openRoutes lists a route with app.authenticate that is ${title}`, async (t) => {
      t.assert.deepEqual(await openOf(...steps), ['GET /secured'])
    })
  }

  test('openRoutes lists a route with the exported hook but without a plugin, which answers 500', async (t) => {
    const declare = (app: FastifyInstance): unknown =>
      app.get('/secured', { onRequest: authenticate }, handler)
    t.assert.deepEqual(await openOf(sibling, declare), ['GET /secured'])
    t.assert.deepEqual(await openOf(register, declare), [])
  })
})

suite('the routes that openRoutes calls', () => {
  /** Declares routes of every kind with these options. */
  const declare = (options: object) => (app: FastifyInstance) => {
    app.get('/', options, handler)
    app.post('/orders', { ...options, schema: { body: { type: 'object', required: ['a'] } } }, handler)
    app.route({ ...options, method: ['PUT', 'PATCH'], url: '/orders/:id', handler })
    app.all('/any', options, handler)
    app.head('/only-head', options, handler)
    app.get('/files/*', options, handler)
    app.get('/at/:hour(^\\d{2})h:minute(^\\d{2})m', options, handler)
    app.get('/uuid/:id([0-9a-f]{8}-[0-9a-f-]{27})/optional/:more?', options, handler)
    app.get('/nested/:id((a|b|x)+)', options, handler)
    app.post('/name::verb', options, handler)
    app.get('/version', { ...options, constraints: { version: '1.2.0' } }, handler)
    app.get('/version', { ...options, constraints: { version: '2.0.0' } }, handler)
    app.get('/host', { ...options, constraints: { host: 'a.example' } }, handler)
    app.register(
      async (scope) => {
        scope.get('/', options, handler)
        scope.register(async (inner) => void inner.delete('/inner', options, handler), { prefix: '/v1' })
      },
      { prefix: '/api' },
    )
  }
  const methods = ['DELETE', 'GET', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']
  const all = [
    'GET /',
    'POST /orders',
    'PUT /orders/:id',
    'PATCH /orders/:id',
    ...methods.map((method) => `${method} /any`),
    'HEAD /only-head',
    'GET /files/*',
    'GET /at/:hour(^\\d{2})h:minute(^\\d{2})m',
    'GET /uuid/:id([0-9a-f]{8}-[0-9a-f-]{27})/optional/:more?',
    'GET /nested/:id((a|b|x)+)',
    'POST /name::verb',
    'GET /version {"version":"1.2.0"}',
    'GET /version {"version":"2.0.0"}',
    'GET /host {"host":"a.example"}',
    'GET /api',
    'DELETE /api/v1/inner',
  ].toSorted()

  test('openRoutes reaches a route of every kind', async (t) => {
    // Fastify has the method QUERY in some versions.
    const open = (await openOf(declare({}))).filter((route) => !route.startsWith('QUERY'))
    t.assert.deepEqual(open, all)
  })

  for (const [title, steps] of [
    ['exported hooks, the plugin first', [register, declare({ onRequest: authenticate })]],
    ['exported hooks, the plugin last', [declare({ onRequest: authorize({ scope: 'a' }) }), register]],
    ['global, the plugin first', [registerGlobally, declare({})]],
    ['global, the plugin last', [declare({}), registerGlobally]],
  ] as const) {
    test(`openRoutes lists no route of any kind with ${title}`, async (t) => {
      t.assert.deepEqual(await openOf(...steps), [])
    })
  }

  test('with global openRoutes lists the routes that say that they need no token', async (t) => {
    const open = await openOf(registerGlobally, (app) => {
      app.get('/closed', handler)
      app.get('/open', { config: { jwksAuth: false } }, handler)
      app.get('/optional', { config: { jwksAuth: 'optional' } }, handler)
    })
    t.assert.deepEqual(open, ['GET /open', 'GET /optional'])
  })

  test('openRoutes lists routes by their answer, whatever it is', async (t) => {
    const open = await openOf(register, (app) => {
      for (const code of [200, 302, 400, 403, 404, 500])
        app.get(`/${code}`, async (_, reply) => reply.code(code).send())
      app.get('/throws', async () => {
        throw new Error('no')
      })
      app.get('/inside', async (request, reply) => authenticate(request, reply))
      app.post('/late', { preHandler: authenticate, schema: { body: { type: 'object' } } }, handler)
    })
    const expected = ['200', '302', '400', '403', '404', '500', 'throws'].map((name) => `GET /${name}`)
    t.assert.deepEqual(open, [...expected, 'POST /late'])
  })

  test('openRoutes lists the route of @fastify/cors for preflights', async (t) => {
    t.assert.deepEqual(await openOf((app) => app.register(cors), registerGlobally), ['OPTIONS *'])
  })

  test('openRoutes does not wait for the end of a stream', async (t) => {
    const open = await openOf((app) => {
      app.get('/stream', async (_request, reply) => reply.send(new PassThrough().on('newListener', () => {})))
      app.get('/raw', (_request, reply) => {
        reply.hijack()
        reply.raw.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a\n\n')
      })
    })
    t.assert.deepEqual(open, ['GET /raw', 'GET /stream'])
  })

  test('openRoutes lists a route that does not answer within five seconds', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const called = new EventTarget()
    const open = openOf((app) => app.post('/silent', () => void called.dispatchEvent(new Event('call'))))
    await once(called, 'call')
    t.mock.timers.tick(5_000)
    t.assert.deepEqual(await open, ['POST /silent'])
  })
})

suite('the errors of openRoutes', () => {
  const rows: [
    title: string,
    declare: (app: FastifyInstance) => void,
    request: { url?: string; headers?: Record<string, string> },
  ][] = [
    ['a pattern', (app) => void app.get('/:id(^[A-Z]{3}\\d$)', handler), { url: '/ABC1' }],
    [
      'a host by a regular expression',
      (app) => void app.get('/', { constraints: { host: /\.example$/ } }, handler),
      { headers: { host: 'a.example' } },
    ],
    [
      'a constraint of the application',
      (app) => {
        const storage = (): object => {
          const handlers = new Map<unknown, unknown>()
          return {
            get: (key: unknown) => handlers.get(key) ?? null,
            set: (key: unknown, value: unknown) => handlers.set(key, value),
          }
        }
        const deriveConstraint = ({ headers }: { headers: object }): unknown =>
          (headers as { tier?: string }).tier
        app.addConstraintStrategy({
          name: 'tier',
          storage,
          deriveConstraint,
          mustMatchWhenDerived: true,
        } as never)
        app.get('/', { constraints: { tier: 'gold' } as never }, handler)
      },
      { headers: { tier: 'gold' } },
    ],
  ]
  for (const [title, declare, request] of rows) {
    test(`a route with ${title} is an error of openRoutes, unless the option request reaches it`, async (t) => {
      let closed = 0
      const build = (): FastifyInstance => {
        const app = Fastify({ exposeHeadRoutes: false })
        declare(app)
        return app.addHook('onClose', async () => void closed++)
      }
      await t.assert.rejects(openRoutes(build), /^Error: openRoutes: GET .+ can't be reached at \//)
      t.assert.equal((await openRoutes(build, { request: () => request })).length, 1)
      t.assert.equal(closed, 2)
    })
  }

  test('openRoutes refuses an application that was not made by its function', async (t) => {
    const older = Fastify()
    for (const build of [() => older, () => ({}), async () => Fastify().decorate('x', 1) && older]) {
      await t.assert.rejects(openRoutes(build), /the function must create the Fastify instance and return it/)
    }
  })

  test('openRoutes passes on the errors of the application', async (t) => {
    const fails = async (): Promise<never> => {
      throw new Error('mine')
    }
    await t.assert.rejects(openRoutes(fails), /^Error: mine$/)
    await t.assert.rejects(
      openOf((app) => app.register(fails)),
      /^Error: mine$/,
    )
  })

  test('openRoutes watches only the applications that it makes', async (t) => {
    let during = false
    const { hasSubscribers } = channel('fastify.initialization')
    await openOf(() => (during = channel('fastify.initialization').hasSubscribers))
    t.assert.deepEqual(
      [hasSubscribers, during, channel('fastify.initialization').hasSubscribers],
      [false, true, false],
    )
  })
})
