import { suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { diagnostics, type JwksAuthOptions, type JwksOptions } from '../../../lib/index.ts'
import { call, createApp } from '../../helpers/app.ts'
import { eventsOf } from '../../helpers/events.ts'
import { hostile } from '../../helpers/hostile.ts'
import { createKeyPair, LocalIssuer, sendJson, type Handler } from '../../helpers/issuer.ts'
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
  const later = (status: number, ...retryAfter: (string | (() => string))[]): Handler => {
    return (_request, response) => {
      const values = retryAfter.map((value) => (typeof value === 'string' ? value : value()))
      response
        .writeHead(
          status,
          values.flatMap((value) => ['retry-after', value]),
        )
        .end()
    }
  }
  const inAMinute = (): string => new Date(Date.now() + 61_000).toUTCString()

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

  for (const [client, dispatcher] of clients) {
    test(`${client}: of two Retry-After headers the first one is respected`, async (t) => {
      const { issuer, app } = await setUp(t, { ...(dispatcher && { dispatcher }) })
      issuer.on('/jwks', later(429, '40', '60'))
      const { headers } = await call(app, await issuer.token())
      t.assert.equal(headers['retry-after'], '40')
    })
  }

  test('a Retry-After is respected up to refreshInterval', async (t) => {
    const { issuer, app } = await setUp(t, { refreshInterval: 5_000 })
    issuer.on('/jwks', later(429, '60'))
    const { headers } = await call(app, await issuer.token())
    t.assert.equal(headers['retry-after'], '5')
  })
})

suite('several JWK Sets of one issuer', () => {
  test('the keys of all sets belong to the issuer, and equal keys in several sets are no problem', async (t) => {
    await using issuer = await LocalIssuer.start()
    const [second, both] = [await createKeyPair('ES256', 'second'), await createKeyPair('RS256', 'both')]
    issuer.on('/one', { keys: [issuer.key.jwk, both.jwk] })
    issuer.on('/two', { keys: [second.jwk, both.jwk] })
    const jwksUri = [`${issuer.origin}/one`, `${issuer.origin}/two`]
    const app = await createApp({ issuer: issuer.issuer, audience: 'api', jwksUri })
    t.after(() => app.close())
    for (const key of [issuer.key, second, both]) {
      t.assert.equal((await call(app, await issuer.token({ key }))).statusCode, 200)
    }
    t.assert.deepEqual(issuer.requests.toSorted(), ['/one', '/two'])
  })

  test('ten sets are fetched without a warning of the process', async (t) => {
    await using issuer = await LocalIssuer.start()
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    t.after(() => process.off('warning', onWarning))
    const jwksUri = Array<string>(10).fill(issuer.jwksUri)
    const app = await createApp({ issuer: issuer.issuer, audience: 'api', jwksUri })
    t.after(() => app.close())
    t.assert.equal((await call(app, await issuer.token())).statusCode, 200)
    t.assert.equal(issuer.fetches, 10)
    t.assert.deepEqual(warnings, [])
  })

  for (const [title, answer, reason] of [
    ['can not be fetched', sendJson({}, 500), 'HTTP 500'],
    ['is no JWK Set', sendJson({ keys: 'none' }), 'not a JWK Set'],
    ['has the 10,001st key', sendJson({ keys: Array(10_000).fill(0) }), 'over 10000 keys'],
  ] as const) {
    test(`one of several sets that ${title} is an outage of the issuer`, async (t) => {
      await using issuer = await LocalIssuer.start()
      issuer.on('/two', answer)
      const jwksUri = [issuer.jwksUri, `${issuer.origin}/two`]
      const app = await createApp({ issuer: issuer.issuer, audience: 'api', jwksUri })
      t.after(() => app.close())
      t.assert.equal((await call(app, await issuer.token())).statusCode, 503)
      t.assert.equal(app.jwksStatus()[0]!.reason, reason)
    })
  }
})

suite('metadata elsewhere', () => {
  test('metadataUrl is where the metadata is fetched from', async (t) => {
    await using issuer = await LocalIssuer.start()
    issuer.on('/policy/metadata', issuer.metadata)
    const metadataUrl = `${issuer.origin}/policy/metadata?p=sign-in`
    const app = await createApp({ issuer: issuer.issuer, audience: 'api', metadataUrl })
    t.after(() => app.close())
    t.assert.equal((await call(app, await issuer.token())).statusCode, 200)
    t.assert.deepEqual(issuer.requests, ['/policy/metadata?p=sign-in', '/jwks'])
  })
})

suite('the log line of a fetch that fails', () => {
  /** The lines and events of one request whose fetch fails. */
  async function failedFetch(t: TestContext, prepare: (issuer: LocalIssuer) => void, options: object = {}) {
    const issuer = await LocalIssuer.start({ path: '/realms/a' })
    prepare(issuer)
    const lines: Record<string, unknown>[] = []
    const logger = {
      level: 'debug',
      stream: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
    }
    const app = Fastify({ logger })
    await app.register(jwksAuth, { issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
    app.get('/secured', { onRequest: app.authenticate }, async () => 'in')
    const events = eventsOf(t, diagnostics.refreshFailed)
    t.after(async () => {
      await app.close()
      await issuer.close()
    })
    const { statusCode } = await call(app, await issuer.token())
    t.assert.equal(statusCode, 503)
    const line = lines.filter(({ msg }) => msg === "the issuer's keys can't be fetched")
    t.assert.equal(line.length, 1)
    t.assert.equal(line[0]!.level, 40)
    t.assert.deepEqual(events[0]!.attempts, line[0]!.attempts)
    return { server: issuer, ...line[0]! } as unknown as {
      server: LocalIssuer
      reason: string
      attempts: unknown
      metadataIssuer?: string
    }
  }

  test('the line has the step, the URL and the status of each attempt at the metadata', async (t) => {
    const { server, reason, attempts } = await failedFetch(t, (down) => {
      down.on('/realms/a/.well-known/openid-configuration', sendJson({}, 403))
      down.on('/.well-known/oauth-authorization-server/realms/a', hostile['is HTML']!)
    })
    t.assert.equal(reason, 'HTTP 404')
    t.assert.deepEqual(attempts, [
      {
        step: 'metadata',
        url: `${server.origin}/realms/a/.well-known/openid-configuration`,
        status: 403,
        reason: 'HTTP 403',
      },
      {
        step: 'metadata',
        url: `${server.origin}/.well-known/oauth-authorization-server/realms/a`,
        status: 200,
        reason: 'not JSON',
      },
      {
        step: 'metadata',
        url: `${server.origin}/.well-known/openid-configuration/realms/a`,
        status: 404,
        reason: 'HTTP 404',
      },
    ])
  })

  test('the line has both attempts at the keys if the connection broke, without the query of the URL', async (t) => {
    const { server, attempts } = await failedFetch(t, (down) => {
      const jwksUri = `${down.origin}/keys?api-key=secret`
      down.on('/realms/a/.well-known/openid-configuration', { ...down.metadata, jwks_uri: jwksUri })
      down.on('/keys', ({ socket }) => {
        down.on('/keys', sendJson({}, 502))
        socket.resetAndDestroy()
      })
    })
    const keys = { step: 'keys', url: `${server.origin}/keys` }
    t.assert.deepEqual(attempts, [
      { step: 'metadata', url: `${server.origin}/realms/a/.well-known/openid-configuration`, status: 200 },
      { ...keys, reason: 'ECONNRESET' },
      { ...keys, status: 502, reason: 'HTTP 502' },
    ])
  })

  test('a request that the timeout ends has the timeout as its reason', async (t) => {
    const { attempts, reason } = await failedFetch(
      t,
      (down) => down.on('/realms/a/.well-known/openid-configuration', () => {}),
      {
        jwks: { timeout: 50 },
      },
    )
    t.assert.equal(reason, 'timeout')
    t.assert.equal((attempts as { reason: string }[])[0]!.reason, 'timeout')
  })

  test('the line names both issuers and how they differ, if the metadata names another issuer', async (t) => {
    const { server, reason, metadataIssuer } = await failedFetch(t, (down) => {
      down.on('/realms/a/.well-known/openid-configuration', { ...down.metadata, issuer: `${down.issuer}/` })
    })
    t.assert.equal(reason, 'its metadata names another issuer; they differ in: the slash at its end')
    t.assert.equal(metadataIssuer, `${server.issuer}/`)
  })

  test('a name that could mislead the reader of a log is not in the line', async (t) => {
    const { reason, metadataIssuer } = await failedFetch(t, (down) => {
      down.on('/realms/a/.well-known/openid-configuration', {
        ...down.metadata,
        issuer: `\u202e${down.issuer}`,
      })
    })
    t.assert.match(reason, /^its metadata names another issuer/)
    t.assert.equal(metadataIssuer, undefined)
  })

  test('an error object in place of the metadata is not called another issuer', async (t) => {
    const { reason } = await failedFetch(t, (down) => {
      for (const path of [
        '/realms/a/.well-known/openid-configuration',
        '/.well-known/oauth-authorization-server/realms/a',
        '/.well-known/openid-configuration/realms/a',
      ]) {
        down.on(path, { error: 'unknown realm' })
      }
    })
    t.assert.equal(reason, 'not metadata with an issuer')
  })
})
