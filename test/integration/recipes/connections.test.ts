import { once } from 'node:events'
import { createServer, get } from 'node:http'
import { connect as connectSocket, type AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { suite, test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import type { WebSocket } from 'ws'
import { build as buildBehindProxy } from '../../../docs/examples/proxy.ts'
import { build as buildEvents, news } from '../../../docs/examples/events.ts'
import { listen } from '../../../docs/examples/events-client.ts'
import { build as buildWebSocket } from '../../../docs/examples/websocket.ts'
import { connect } from '../../../docs/examples/websocket-client.ts'
import jwksAuth from '../../../lib/index.ts'
import { LocalIssuer, now, type TokenParts } from '../../helpers/issuer.ts'
import { setUp } from '../../helpers/recipe.ts'

/** The recipes for connections: server-sent events and WebSockets, which can outlive the token, and a proxy. */

suite('server-sent events', () => {
  test('server-sent events end when the token expires', async (t) => {
    const { issuer, app } = await setUp(t, buildEvents)
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    const token = await issuer.token()
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let text = ''
    await listen(`${origin}/events`, token, (part) => {
      text += part
      if (text.endsWith('hello someone\n\n')) news.emit('item', 'first')
      else t.mock.timers.tick(600_000)
    })
    t.assert.equal(text, 'data: hello someone\n\ndata: first\n\n')
    t.assert.equal(news.listenerCount('item'), 0)
  })

  test('server-sent events end when the client disconnects', async (t) => {
    const { issuer, app } = await setUp(t, buildEvents)
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    const headers = { authorization: `Bearer ${await issuer.token()}` }
    const client = get(`${origin}/events`, { headers })
    await once(client, 'response')
    t.assert.equal(news.listenerCount('item'), 1)
    const ended = new Promise((resolve) => news.once('removeListener', resolve))
    client.destroy()
    await ended
    t.assert.equal(news.listenerCount('item'), 0)
  })

  test('server-sent events need a token', async (t) => {
    const { app } = await setUp(t, buildEvents)
    const response = await app.inject('/events')
    t.assert.equal(response.statusCode, 401)
    t.assert.equal(response.headers['www-authenticate'], 'Bearer realm="api"')
  })

  test("Fastify's log contains a token of the query string and none of a header", async (t) => {
    await using issuer = await LocalIssuer.start()
    let log = ''
    const stream = new Writable({
      write(chunk, _encoding, done) {
        log += String(chunk)
        done()
      },
    })
    const app = Fastify({ logger: { stream } })
    await app.register(jwksAuth, {
      issuer: issuer.issuer,
      audience: 'api',
      getToken: ({ query, headers }) =>
        (query as { token?: string }).token ?? headers.authorization?.slice(7),
    })
    app.get('/events', { onRequest: app.authenticate }, async () => 'in')
    const inQuery = await issuer.token()
    const inHeader = await issuer.token()
    const answers = [
      await app.inject(`/events?token=${inQuery}`),
      await app.inject({ url: '/events', headers: { authorization: `Bearer ${inHeader}` } }),
    ]
    t.assert.deepEqual(
      answers.map(({ body }) => body),
      ['in', 'in'],
    )
    t.assert.match(log, new RegExp(inQuery))
    t.assert.doesNotMatch(log, new RegExp(inHeader))
  })
})

suite('a proxy', () => {
  test('an application behind a proxy gets the keys through the proxy that the environment names', async (t) => {
    const tunnels: unknown[] = []
    const proxy = createServer().listen(0, '127.0.0.1')
    proxy.on('connect', ({ url }, socket) => {
      tunnels.push(url)
      const { hostname, port } = new URL(`http://${url}`)
      const target = connectSocket(Number(port), hostname, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
      target.pipe(socket).pipe(target)
    })
    await once(proxy, 'listening')
    const { http_proxy: before } = process.env
    process.env.http_proxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    t.after(() => {
      proxy.close()
      if (before === undefined) delete process.env.http_proxy
      else process.env.http_proxy = before
    })
    const { issuer, app } = await setUp(t, buildBehindProxy)
    const headers = { authorization: `Bearer ${await issuer.token()}` }
    t.assert.equal((await app.inject({ url: '/me', headers })).body, 'someone')
    t.assert.deepEqual([...new Set(tunnels)], [new URL(issuer.origin).host])
  })
})

suite('a WebSocket with a token in its subprotocol', () => {
  async function start(t: TestContext): Promise<(token: TokenParts) => Promise<WebSocket>> {
    const { issuer, app } = await setUp(t, buildWebSocket)
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    return async (parts) => connect(`${origin.replace('http', 'ws')}/live`, await issuer.token(parts))
  }

  test('a token in the subprotocol opens a WebSocket, and the server selects another subprotocol', async (t) => {
    const open = await start(t)
    const socket = await open({})
    const [greeting] = (await once(socket, 'message')) as [Buffer]
    t.assert.equal(greeting.toString(), 'hello someone')
    t.assert.equal(socket.protocol, 'shop.v1')
    socket.close()
    await once(socket, 'close')
  })

  test('a wrong token in the subprotocol is answered 401 before the WebSocket opens', async (t) => {
    const open = await start(t)
    const socket = await open({ claims: { aud: 'another' } })
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
    t.assert.equal(response.statusCode, 401)
    socket.on('error', () => {}).terminate()
  })

  test('a WebSocket is closed when its token expires', async (t) => {
    const open = await start(t)
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const socket = await open({})
    await once(socket, 'message')
    const closed = once(socket, 'close')
    t.mock.timers.tick(600_000)
    const [code, reason] = (await closed) as [number, Buffer]
    t.assert.equal(code, 1008)
    t.assert.equal(reason.toString(), 'the token has expired')
  })

  test('a WebSocket stays open if its token lives longer than the longest timer', async (t) => {
    const open = await start(t)
    const socket = await open({ claims: { exp: now() + 10 * 365 * 86_400 } })
    await once(socket, 'message')
    const first = Promise.race(['pong', 'close'].map(async (event) => once(socket, event).then(() => event)))
    socket.ping()
    t.assert.equal(await first, 'pong')
    socket.close()
    await once(socket, 'close')
  })
})
