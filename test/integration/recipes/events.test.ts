import { once } from 'node:events'
import { get } from 'node:http'
import { Writable } from 'node:stream'
import { suite, test } from 'node:test'
import Fastify from 'fastify'
import jwksAuth from 'fastify-jwks-auth'
import { build, news } from '../../../docs/examples/events.ts'
import { listen } from '../../../docs/examples/events-client.ts'
import { now, LocalIssuer } from '../../helpers/issuer.ts'
import { setUp } from '../../helpers/recipe.ts'

suite('server-sent events', () => {
  test('are sent until the token ends', async (t) => {
    const { issuer, app } = await setUp(t, build)
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    const token = await issuer.token({ claims: { exp: now() + 2 } })
    let text = ''
    await listen(`${origin}/events`, token, (part) => {
      if (text === '') news.emit('item', 'first')
      text += part
    })
    t.assert.equal(text, 'data: hello someone\n\ndata: first\n\n')
    t.assert.equal(news.listenerCount('item'), 0)
  })

  test('end with the client', async (t) => {
    const { issuer, app } = await setUp(t, build)
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

  test('are not for everybody', async (t) => {
    const { app } = await setUp(t, build)
    const response = await app.inject('/events')
    t.assert.equal(response.statusCode, 401)
    t.assert.equal(response.headers['www-authenticate'], 'Bearer realm="api"')
  })
})

test('a token in a query string ends up in Fastify’s own log line, one in a header does not', async (t) => {
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
    getToken: ({ query, headers }) => (query as { token?: string }).token ?? headers.authorization?.slice(7),
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
