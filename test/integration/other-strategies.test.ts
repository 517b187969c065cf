import { once } from 'node:events'
import { connect } from 'node:http2'
import { Readable } from 'node:stream'
import { suite, test, type TestContext } from 'node:test'
import fastifyAuth from '@fastify/auth'
import basicAuth from '@fastify/basic-auth'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type InjectOptions,
} from 'fastify'
import jwksAuth from '../../lib/index.ts'
import { call } from '../helpers/app.ts'
import { LocalIssuer } from '../helpers/issuer.ts'

const issuer = await LocalIssuer.start()
const options = { issuer: issuer.issuer, audience: 'api' }
test.after(() => issuer.close())

const basicChallenge = 'Basic realm="partners", charset="UTF-8"'
const bearerChallenge = 'Bearer realm="api"'
const password = { authorization: `Basic ${btoa('partner:right')}` }
const wrongPassword = { authorization: `Basic ${btoa('partner:wrong')}` }

type Order = 'first' | 'last'

/** Starts an application that accepts tokens and passwords, with `authenticate` as the first or last strategy of its hook. */
async function setUp(
  t: TestContext,
  order: Order,
  declare: (app: FastifyInstance) => void = (app) => app.get('/', async () => 'in'),
): Promise<FastifyInstance> {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(fastifyAuth)
  await app.register(basicAuth, {
    authenticate: { realm: 'partners' },
    validate: async (_name, given) => (given === 'right' ? undefined : new Error('unknown')),
  })
  await app.register(jwksAuth, options)
  const strategies = [app.authenticate, app.basicAuth]
  app.addHook('onRequest', app.auth((order === 'first' ? strategies : strategies.toReversed()) as never))
  declare(app)
  return app
}

for (const order of ['first', 'last'] as const) {
  suite(`authenticate as the ${order} strategy, with passwords as the other`, () => {
    test(`the answer to a good password has no challenge, with authenticate ${order}`, async (t) => {
      const app = await setUp(t, order)
      const response = await app.inject({ url: '/', headers: password })
      t.assert.equal(response.body, 'in')
      t.assert.equal(response.headers['www-authenticate'], undefined)
    })

    for (const [title, headers] of [
      ['a request without credentials', {}],
      ['a wrong password', wrongPassword],
    ] as const) {
      test(`${title} is answered with the challenges of both strategies, with authenticate ${order}`, async (t) => {
        const app = await setUp(t, order)
        const response = await app.inject({ url: '/', headers })
        t.assert.equal(response.statusCode, 401)
        t.assert.deepEqual(response.headers['www-authenticate'], [basicChallenge, bearerChallenge])
      })
    }

    test(`a bad token is answered with both challenges and its error, with authenticate ${order}`, async (t) => {
      const app = await setUp(t, order)
      const { headers } = await call(app, 'opaque', '/')
      t.assert.deepEqual(headers['www-authenticate'], [
        basicChallenge,
        `${bearerChallenge}, error="invalid_token"`,
      ])
    })

    test(`both challenges are in the HTTP response, with authenticate ${order}`, async (t) => {
      const app = await setUp(t, order)
      const response = await fetch(await app.listen())
      t.assert.equal(response.headers.get('www-authenticate'), `${basicChallenge}, ${bearerChallenge}`)
    })
  })
}

suite('successful answers of every kind', () => {
  const answers: [title: string, declare: (app: FastifyInstance) => void, request: InjectOptions][] = [
    ['a stream', (app) => app.get('/', async () => Readable.from(['in'])), {}],
    ['a Response object', (app) => app.get('/', async () => new Response('in')), {}],
    ['an empty answer', (app) => app.get('/', async (_request, reply) => reply.code(204).send()), {}],
    ['a 304', (app) => app.get('/', async (_request, reply) => reply.code(304).send()), {}],
    ['a redirect', (app) => app.get('/', async (_request, reply) => reply.redirect('/there')), {}],
    ['an answer to HEAD', (app) => app.get('/', async () => 'in'), { method: 'HEAD' }],
    [
      'an answer of an inner scope',
      (app) => app.register(async (scope) => void scope.get('/', async () => 'in')),
      {},
    ],
  ]
  for (const [title, declare, request] of answers) {
    test(`${title} has no challenge after another strategy accepted the request`, async (t) => {
      const app = await setUp(t, 'first', declare)
      const response = await app.inject({ url: '/', headers: password, ...request })
      t.assert.equal(response.statusCode < 400, true)
      t.assert.equal(response.headers['www-authenticate'], undefined)
    })
  }

  test('an answer that the application writes itself is not changed', async (t) => {
    const app = await setUp(t, 'first', (app) => {
      app.get('/', async (_request, reply) => {
        reply.hijack()
        reply.raw.setHeader('retry-after', '3')
        reply.raw.setHeader('www-authenticate', 'Negotiate abc')
        reply.raw.writeHead(200, { 'x-own': 'yes' }).end('in')
      })
    })
    const { headers } = await fetch(await app.listen(), { headers: password })
    t.assert.equal(headers.get('www-authenticate'), 'Negotiate abc')
    t.assert.equal(headers.get('retry-after'), '3')
    t.assert.equal(headers.get('x-own'), 'yes')
  })

  test('a request for an unknown route is answered with the challenges unless a strategy accepts it', async (t) => {
    const app = await setUp(t, 'first')
    const refused = await app.inject('/nowhere')
    t.assert.equal(refused.statusCode, 401)
    t.assert.deepEqual(refused.headers['www-authenticate'], [basicChallenge, bearerChallenge])
    t.assert.equal((await app.inject({ url: '/nowhere', headers: password })).statusCode, 404)
  })
})

suite('the HTTP response', () => {
  const answers: [title: string, answer: (status: number) => unknown][] = [
    ['text', () => 'in'],
    ['a stream', () => Readable.from(['in'])],
    ['an empty stream', () => Readable.from([])],
    ['a Response object', (status) => new Response('in', { status })],
  ]
  /** Returns the status, the challenges and whether there is a Retry-After. */
  async function ask(origin: string, isHttp2: boolean, asked: Record<string, string>): Promise<unknown[]> {
    if (!isHttp2) {
      const response = await fetch(origin, { headers: asked })
      await response.text()
      const { headers } = response
      return [response.status, headers.get('www-authenticate') ?? undefined, headers.has('retry-after')]
    }
    const session = connect(origin)
    const stream = session.request(asked)
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    stream.resume()
    await once(stream, 'close')
    session.close()
    return [headers[':status'], headers['www-authenticate'], headers['retry-after'] !== undefined]
  }
  for (const isHttp2 of [false, true]) {
    for (const [title, answer] of answers) {
      test(`${title} over HTTP/${isHttp2 ? 2 : 1} has all challenges if every strategy refused, and none otherwise`, async (t) => {
        const app = Fastify(isHttp2 ? ({ http2: true } as object) : {})
        t.after(() => app.close())
        await app.register(fastifyAuth)
        await app.register(jwksAuth, { issuer: 'http://localhost:1', audience: 'api' })
        const apiKey = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
          if (request.headers['x-key'] === 'good') return
          reply.header('www-authenticate', 'Key')
          throw new Error('no key')
        }
        const onRequest = app.auth([app.authenticate, apiKey] as never)
        app.get('/', { onRequest }, async () => answer(200))
        app.setErrorHandler((_error, _request, reply) => reply.code(401).send(answer(401)))
        const origin = await app.listen()
        const unreachable = await issuer.token({ claims: { iss: 'http://localhost:1' } })
        for (const headers of [{}, { authorization: `Bearer ${unreachable}` }]) {
          t.assert.deepEqual(await ask(origin, isHttp2, { ...headers, 'x-key': 'good' }), [
            200,
            undefined,
            false,
          ])
        }
        t.assert.deepEqual(await ask(origin, isHttp2, { 'x-key': 'bad' }), [
          401,
          `Key, ${bearerChallenge}`,
          false,
        ])
      })
    }
  }
})

test('a request may be refused 2,000 times', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(jwksAuth, options)
  const admin = app.authorize({ scope: 'admin' })
  app.get('/', { onRequest: app.authenticate }, async (request, reply) => {
    let refused = 0
    for (let item = 0; item < 2_000; item += 1) await admin(request, reply).catch(() => (refused += 1))
    return { refused }
  })
  const response = await call(app, await issuer.token(), '/')
  t.assert.deepEqual(response.json(), { refused: 2_000 })
  t.assert.equal(response.headers['www-authenticate'], undefined)
})

suite('a stream', () => {
  test("a stream has no challenge with a Fastify before 5.12, whose removeHeader doesn't affect headers that were already passed on", async (t) => {
    const app = await setUp(t, 'first', (app) => {
      app.get('/', async (_request, reply) => {
        const { raw } = reply
        reply.removeHeader = (name) => {
          const handedOn = raw.getHeader(name)
          Object.getPrototypeOf(reply).removeHeader.call(reply, name)
          if (handedOn !== undefined) raw.setHeader(name, handedOn)
          return reply
        }
        return Readable.from(['in'])
      })
    })
    const { statusCode, headers } = await app.inject({ url: '/', headers: password })
    t.assert.equal(statusCode, 200)
    t.assert.equal(headers['www-authenticate'], undefined)
  })

  test('a stream has the challenges of all strategies that refused', async (t) => {
    const app = await setUp(t, 'first', (app) => {
      app.setErrorHandler((_error, _request, reply) => reply.code(401).send(Readable.from(['no'])))
      app.get('/', async () => 'in')
    })
    const { headers } = await app.inject('/')
    t.assert.deepEqual(headers['www-authenticate'], [basicChallenge, bearerChallenge])
  })
})

suite('headers that the application sets or removes', () => {
  /** The route ignores a refusal and sends its own answer. */
  async function ignored(
    t: TestContext,
    answer: (reply: FastifyReply) => FastifyReply,
    request: InjectOptions = {},
  ): Promise<Record<string, unknown>> {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(jwksAuth, options)
    app.get('/', async (asked, reply) => {
      await app.authenticate(asked, reply).catch(() => {})
      return answer(reply).send('x')
    })
    const { headers } = await app.inject({ url: '/', ...request })
    return { challenge: headers['www-authenticate'], retryAfter: headers['retry-after'] }
  }

  for (const [title, answer, challenge] of [
    ['an answer has no challenge if the route ignores a refusal', (reply: FastifyReply) => reply, undefined],
    [
      'another challenge on a successful answer stays',
      (reply: FastifyReply) =>
        reply.header('www-authenticate', ['Bearer realm="api"', 'Bearer realm="mine"']),
      'Bearer realm="mine"',
    ],
    [
      'a Bearer challenge of the application replaces the challenge of the plugin',
      (reply: FastifyReply) => reply.code(401).header('www-authenticate', 'Bearer realm="mine"'),
      'Bearer realm="mine"',
    ],
    [
      'a challenge that the application removes is not added again',
      (reply: FastifyReply) => reply.code(401).removeHeader('www-authenticate'),
      undefined,
    ],
    [
      'the challenge of the plugin stays on another error',
      (reply: FastifyReply) => reply.code(400),
      bearerChallenge,
    ],
    [
      'a 500 that follows a swallowed refusal has no challenge of the plugin',
      (reply: FastifyReply) => reply.code(500),
      undefined,
    ],
    [
      'the challenge of another scheme stays on a 500',
      (reply: FastifyReply) =>
        reply.code(500).header('www-authenticate', ['Basic realm="a"', bearerChallenge]),
      'Basic realm="a"',
    ],
    [
      'the challenge of another scheme stays on another error',
      (reply: FastifyReply) => reply.code(403).header('www-authenticate', 'Basic realm="a"'),
      'Basic realm="a"',
    ],
  ] as const) {
    test(title, async (t) => {
      const { challenge: present } = await ignored(t, answer)
      t.assert.deepEqual([present].flat(), [challenge])
    })
  }
})

suite('Retry-After during an outage', () => {
  async function duringAnOutage(t: TestContext, key: string, own?: string) {
    await using down = await LocalIssuer.start()
    down.on('/jwks', (_request, response) => response.destroy())
    const app = Fastify()
    t.after(() => app.close())
    await app.register(fastifyAuth)
    await app.register(jwksAuth, { issuer: down.issuer, audience: 'api' })
    const apiKey = async (request: { headers: Record<string, unknown> }): Promise<void> => {
      if (request.headers['x-key'] !== 'good') throw new Error('no key')
    }
    const onRequest = app.auth([app.authenticate, apiKey] as never)
    app.get('/', { onRequest }, async (_request, reply) => {
      if (own !== undefined) reply.header('retry-after', own)
      return 'in'
    })
    const headers = { authorization: `Bearer ${await down.token()}`, 'x-key': key }
    const response = await app.inject({ url: '/', headers })
    return { status: response.statusCode, retryAfter: response.headers['retry-after'] }
  }

  test('a successful answer has no Retry-After of the plugin', async (t) => {
    t.assert.deepEqual(await duringAnOutage(t, 'good'), { status: 200, retryAfter: undefined })
  })

  test('a Retry-After of the application stays on a successful answer', async (t) => {
    t.assert.deepEqual(await duringAnOutage(t, 'good', '120'), { status: 200, retryAfter: '120' })
  })

  test('an error has the Retry-After of the plugin', async (t) => {
    const { retryAfter } = await duringAnOutage(t, 'bad')
    t.assert.equal(retryAfter, '1')
  })
})

test('the challenge is on the reply when the hook throws', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(jwksAuth, options)
  app.get('/', async (request, reply) => {
    await app.authenticate(request, reply).catch(() => {})
    return { seen: reply.getHeader('www-authenticate') }
  })
  const response = await app.inject('/')
  t.assert.deepEqual(response.json(), { seen: bearerChallenge })
  t.assert.equal(response.headers['www-authenticate'], undefined)
})

test('a challenge is removed in an inner scope of the scope with the plugin', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  app.register(async (scope) => {
    await scope.register(jwksAuth, options)
    scope.register(async (inner) => {
      inner.get('/', async (request, reply) => {
        await inner.authenticate(request, reply).catch(() => {})
        return 'in'
      })
    })
  })
  t.assert.equal((await app.inject('/')).headers['www-authenticate'], undefined)
})
