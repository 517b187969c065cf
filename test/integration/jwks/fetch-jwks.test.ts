import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { JwksOptions } from '../../../lib/index.ts'
import { call, createApp } from '../../helpers/app.ts'
import { LocalIssuer, type Handler } from '../../helpers/issuer.ts'
import { clients } from '../../helpers/undici.ts'

const openid = '/.well-known/openid-configuration'

async function setUp(
  t: TestContext,
  jwks: JwksOptions = {},
): Promise<{ issuer: LocalIssuer; app: FastifyInstance }> {
  const issuer = await LocalIssuer.start()
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', jwks })
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  return { issuer, app }
}

/** Breaks the first connections for a path before an answer. */
function breakFirst(issuer: LocalIssuer, path: string, count: number): void {
  let broken = 0
  issuer.on(path, ({ socket }) => {
    broken += 1
    if (broken === count) issuer.handlers.delete(path)
    socket.resetAndDestroy()
  })
}

suite('a connection that breaks before an answer', () => {
  for (const [client, dispatcher] of clients) {
    const jwks = { ...(dispatcher && { dispatcher }) }

    test(`${client}: a request whose connection breaks is repeated once, for metadata and for keys`, async (t) => {
      const { issuer, app } = await setUp(t, jwks)
      breakFirst(issuer, openid, 1)
      breakFirst(issuer, '/jwks', 1)
      const token = await issuer.token()
      const answers = await Promise.all([call(app, token), call(app, token)])
      t.assert.deepEqual(
        answers.map(({ statusCode }) => statusCode),
        [200, 200],
      )
      t.assert.deepEqual(issuer.requests, [openid, openid, '/jwks', '/jwks'])
    })

    test(`${client}: a request whose connection breaks twice is a failure`, async (t) => {
      const { issuer, app } = await setUp(t, jwks)
      breakFirst(issuer, openid, 2)
      t.assert.equal((await call(app, await issuer.token())).statusCode, 503)
      t.assert.deepEqual(issuer.requests, [openid, openid])
    })

    test(`${client}: a request whose connection breaks after the status is not repeated`, async (t) => {
      const { issuer, app } = await setUp(t, jwks)
      issuer.on(openid, ({ socket }) => {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"keys": []')
      })
      t.assert.equal((await call(app, await issuer.token())).statusCode, 503)
      t.assert.deepEqual(issuer.requests, [openid])
    })
  }

  test('a connection that breaks is repeated within the timeout only', async (t) => {
    const { issuer, app } = await setUp(t, { timeout: 200 })
    issuer.on(openid, ({ socket }) => {
      issuer.on(openid, () => {})
      socket.resetAndDestroy()
    })
    t.assert.equal((await call(app, await issuer.token())).statusCode, 503)
    t.assert.equal(app.jwksStatus()[0]!.reason, 'timeout')
  })
})

suite('Retry-After of the issuer', () => {
  const later = (status: number, retryAfter: string): Handler => {
    return (_request, response) => void response.writeHead(status, { 'retry-after': retryAfter }).end()
  }
  const inAMinute = new Date(Date.now() + 61_000).toUTCString()

  for (const [title, status, retryAfter, least, most] of [
    ['a 429 with seconds', 429, '60', 59, 60],
    ['a 503 with seconds', 503, '60', 59, 60],
    ['a 429 with a date', 429, inAMinute, 30, 61],
    ['a 429 with a day', 429, '86400', 299, 300],
    ['a 429 with a word', 429, 'soon', 1, 1],
    ['a 429 with a date in the past', 429, 'Sun, 06 Nov 1994 08:49:37 GMT', 1, 1],
    ['a 502 with seconds', 502, '60', 1, 1],
  ] as const) {
    for (const [client, dispatcher] of clients) {
      test(`${client}: after ${title} the issuer is asked again in ${least} to ${most} s`, async (t) => {
        const { issuer, app } = await setUp(t, { ...(dispatcher && { dispatcher }) })
        issuer.on('/jwks', later(status, retryAfter))
        const token = await issuer.token()
        for (let request = 0; request < 4; request += 1) {
          const { statusCode, headers } = await call(app, token)
          t.assert.equal(statusCode, 503)
          if (most === 1) continue
          const seconds = Number(headers['retry-after'])
          t.assert.equal(seconds >= least && seconds <= most, true, `${seconds} s`)
        }
        t.assert.equal(issuer.fetches === 1, most > 1)
      })
    }
  }

  test('a Retry-After is respected up to refreshInterval', async (t) => {
    const { issuer, app } = await setUp(t, { refreshInterval: 5_000 })
    issuer.on('/jwks', later(429, '60'))
    const { headers } = await call(app, await issuer.token())
    t.assert.equal(headers['retry-after'], '5')
  })
})
