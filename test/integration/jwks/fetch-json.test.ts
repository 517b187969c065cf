import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import type { Dispatcher } from '../../../lib/fetch/dispatcher-client.ts'
import { FetchError } from '../../../lib/fetch/fetch-error.ts'
import { fetchJson, type FetchOptions } from '../../../lib/fetch/fetch-json.ts'
import { agent } from '../../helpers/dispatcher.ts'
import { bodyText, hostile, redirect, zipped } from '../../helpers/hostile.ts'
import { createKeyPair, sendJson, LocalIssuer, type Handler } from '../../helpers/issuer.ts'
import { clients, hasUndici8, loadUndici, undiciVersions } from '../../helpers/undici.ts'

let server: LocalIssuer
/** The test issuer keeps no process alive, and some tests wait for nothing else. */
let awake: NodeJS.Timeout
before(async () => {
  awake = setInterval(() => {}, 60_000)
  server = await LocalIssuer.start({ key: await createKeyPair('ES256') })
})
after(async () => {
  clearInterval(awake)
  await server.close()
})

/** Fetches from a server with this answer. Returns its connection as well. */
async function get(
  handler: Handler,
  options: Partial<FetchOptions> = {},
): Promise<{ document: Promise<unknown>; connection: Socket }> {
  const path = `/${crypto.randomUUID()}`
  const { promise: connected, resolve } = withResolvers<Socket>()
  server.on(path, (request, response) => {
    resolve(request.socket)
    handler(request, response)
  })
  const document = fetchFrom(new URL(path, server.origin), options)
  document.catch(() => {})
  return { document, connection: await connected }
}

/** Makes another request. After it, everything that was sent before has arrived. */
async function roundTrip(): Promise<void> {
  const { document } = await get(sendJson({}))
  await document
}

async function fetchFrom(url: URL, options: Partial<FetchOptions> = {}): Promise<unknown> {
  const { document } = await fetchJson(url, {
    signal: AbortSignal.timeout(10_000),
    timeout: 10_000,
    maxResponseSize: 65_536,
    dispatcher: undefined,
    ...options,
  })
  return document
}

/** Asserts a failure with this reason and without text of the answer. */
async function assertFailure(document: Promise<unknown>, reason: RegExp, status?: number): Promise<void> {
  await assert.rejects(document, (error) => {
    assert.ok(error instanceof FetchError)
    assert.match(error.message, reason)
    assert.ok(!error.message.includes(bodyText))
    assert.equal(error.status, status)
    return true
  })
}

const tooLong = /^over 65536 bytes$/

suite('a good answer', () => {
  test('an answer that is nested 64 deep is returned, and a deeper one is refused before it is parsed', async (t) => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    const fits = await get((_request, response) => void response.end(nested(64)))
    assert.equal(JSON.stringify(await fits.document), nested(64))
    const { mock } = t.mock.method(JSON, 'parse')
    const { document } = await get((_request, response) => void response.end(nested(65)))
    await assertFailure(document, /^JSON that is nested too deeply$/, 200)
    assert.equal(mock.callCount(), 0)
  })

  test('a good answer is returned as a document', async () => {
    const { document } = await get(sendJson({ keys: [1, 'two', null] }))
    assert.deepEqual(await document, { keys: [1, 'two', null] })
  })

  test('an answer may have any media type and no length', async () => {
    const { document } = await get((_request, response) => {
      response.writeHead(201, { 'content-type': 'text/plain' }).flushHeaders()
      response.end('[1, 2]')
    })
    assert.deepEqual(await document, [1, 2])
  })

  test('an answer may arrive in parts that split a character', async () => {
    const [start, end] = [Buffer.from('"é').subarray(0, 2), Buffer.from('é"').subarray(1)]
    const { promise: started, resolve } = withResolvers<ServerResponse>()
    const { document } = await get((_request, response) => {
      response.write(start)
      resolve(response)
    })
    await roundTrip()
    void (await started).end(end)
    assert.equal(await document, 'é')
  })

  test('an answer may begin with a byte order mark', async () => {
    const { document } = await get((_request, response) => void response.end('\ufeff[1, 2]'))
    assert.deepEqual(await document, [1, 2])
  })

  for (const [encoding, pack] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['x-gzip', gzipSync],
    ['GZIP', gzipSync],
  ] as const) {
    test(`an answer may be compressed with ${encoding}`, async () => {
      const { document } = await get((_request, response) => {
        response.writeHead(200, { 'content-encoding': encoding }).end(pack('[1, 2]'))
      })
      assert.deepEqual(await document, [1, 2])
    })
  }

  for (const [client, dispatcher] of clients) {
    test(`${client}: the request accepts JSON and JWK Sets, names the plugin and has no other data of the application`, async () => {
      const { promise, resolve } = withResolvers<Record<string, unknown>>()
      const { document } = await get(
        (request, response) => {
          resolve({ method: request.method, ...request.headers })
          response.end('{}')
        },
        { dispatcher },
      )
      await document
      const { connection: _connection, host: _host, ...others } = await promise
      assert.deepEqual(others, {
        method: 'GET',
        accept: 'application/json, application/jwk-set+json',
        'accept-encoding': 'identity',
        'user-agent': 'fastify-jwks-auth',
      })
    })

    // fetch of undici 6.29 and 7.30 ends the process here.
    test(`${client}: a compressed answer of 300 KB whose connection closes is read, and the process goes on`, async () => {
      const text = randomBytes(225_000).toString('base64')
      const packed = gzipSync(JSON.stringify(text))
      const { document } = await get(
        ({ socket }) => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n')
          socket.end(packed)
        },
        { dispatcher, maxResponseSize: 2 ** 20 },
      )
      assert.equal(await document, text)
    })
  }

  test('an answer may be as long as maxResponseSize and not a byte longer', async () => {
    const text = JSON.stringify('é'.repeat(1_000))
    const size = Buffer.byteLength(text)
    const answer: Handler = (_request, response) => void response.end(text)
    const { document } = await get(answer, { maxResponseSize: size })
    assert.equal(await document, JSON.parse(text))
    const longer = await get(answer, { maxResponseSize: size - 1 })
    await assertFailure(longer.document, /^over 2001 bytes$/)
  })
})

suite('a bad answer', { timeout: 30_000 }, () => {
  // This is the first test because it compares the peak of the memory of the process.
  test('an answer that is huge when decompressed takes little memory', async () => {
    const body = zipped(384)
    const before = process.resourceUsage().maxRSS
    const { document } = await get(
      (_request, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(body)
      },
      { maxResponseSize: 2 ** 20 },
    )
    await assertFailure(document, /^over 1048576 bytes$/)
    const grown = process.resourceUsage().maxRSS - before
    assert.ok(grown < 64 * 1024, `${grown} KiB`)
  })

  const failures: [name: string, reason: RegExp, status?: number][] = [
    ['has no end', tooLong],
    ['is an error without end', /^HTTP 500$/, 500],
    ['is huge when decompressed', tooLong],
    ['is a 500', /^HTTP 500$/, 500],
    ['is a 404', /^HTTP 404$/, 404],
    ['is a 502 in HTML', /^HTTP 502$/, 502],
    ['is HTML', /^not JSON$/, 200],
    ['is truncated JSON', /^not JSON$/, 200],
    ['breaks off', /^(UND_ERR_SOCKET|ECONNRESET)$/],
    ['is empty', /^not JSON$/, 200],
    ['has no content', /^not JSON$/, 204],
    ['has a wrong content-encoding', /^Z_DATA_ERROR$/],
    ['has an unknown content-encoding', /^not JSON$/, 200],
    ['has a content-encoding of constructor', /^not JSON$/, 200],
    ['is not HTTP', /^(HPE_[A-Z_]+|HTTPParserError)$/],
    ['is compressed and has no content and no end', tooLong],
    ['switches protocols', /^(it ended the connection|UND_ERR_SOCKET)$/],
    ['is a 404 with a wrong content-encoding', /^HTTP 404$/, 404],
    ['has endless headers', /^(UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW)$/],
    ['has interim responses without end', /^no end of interim responses$/],
    ['has chunk extensions without end', /^over 327680 bytes with headers and framing$/],
    ['comes in chunks of a byte', /^over 327680 bytes with headers and framing$/],
    ['hangs up', /^(UND_ERR_SOCKET|ECONNRESET)$/],
    ['redirects to its own origin', /^HTTP 302$/, 302],
  ]
  for (const [client, dispatcher] of clients) {
    for (const [name, reason, status] of failures) {
      test(`${client}: an answer that ${name} is a failure`, async () => {
        const { document } = await get(hostile[name]!, { dispatcher })
        await assertFailure(document, reason, status)
      })
    }

    test(`${client}: an answer with a few interim responses is accepted`, async () => {
      const { document } = await get(
        (_request, response) => {
          for (let hint = 0; hint < 10; hint += 1)
            response.writeEarlyHints({ link: '</style.css>; rel=preload' })
          response.end('[1, 2]')
        },
        { dispatcher },
      )
      assert.deepEqual(await document, [1, 2])
    })

    for (const name of [
      'hangs before its headers',
      'hangs after its headers',
      'trickles byte by byte',
      'trickles compressed bytes',
      'is huge when decompressed and stalls',
      'has a wrong content-encoding and stalls',
    ]) {
      test(`${client}: an answer that ${name} ends with the signal, and its connection ends too`, async () => {
        const abort = new AbortController()
        const { document, connection } = await get(hostile[name]!, { signal: abort.signal, dispatcher })
        const closed = closing(connection)
        await roundTrip()
        abort.abort('timeout')
        await assertFailure(document, /^timeout$/)
        await closed
      })
    }

    for (const name of [
      'has no end',
      'is an error without end',
      'is compressed and has no content and no end',
      'has interim responses without end',
      'has chunk extensions without end',
      'comes in chunks of a byte',
    ]) {
      test(`${client}: an answer that ${name} is read in small part, and its connection ends at once`, async () => {
        const { document, connection } = await get(hostile[name]!, { dispatcher })
        await assert.rejects(document, FetchError)
        await roundTrip()
        assert.equal(connection.destroyed, true)
        // The buffers of two sockets hold less than that.
        assert.ok(connection.bytesWritten < 16 * 2 ** 20, `${connection.bytesWritten} bytes`)
      })
    }

    test(`${client}: no request is sent if the signal has fired before`, async () => {
      const path = `/too-late/${client}`
      const signal = AbortSignal.abort('closed')
      await assertFailure(fetchFrom(new URL(path, server.origin), { signal, dispatcher }), /^closed$/)
      assert.ok(!server.requests.includes(path))
    })
  }
})

suite('connections', () => {
  test('each fetch has a new connection, so that no answer arrives before its request', async () => {
    const connections = []
    for (let fetch = 0; fetch < 3; fetch += 1) {
      const { document, connection } = await get((request, response) => {
        // The connection stays open and has a second answer.
        response.socket!.write(
          'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"next"',
        )
        request.resume()
      })
      assert.deepEqual(await document, [])
      connections.push(connection)
    }
    assert.equal(new Set(connections).size, 3)
  })
})

suite('redirects', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    test(`a redirect with ${status} is not followed, neither to the same origin nor to another`, async () => {
      await using other = await LocalIssuer.start({ key: server.key })
      for (const origin of [server.origin, other.origin]) {
        const target = `/target-of-${status}`
        const { document } = await get(redirect(status, origin + target))
        await assertFailure(document, new RegExp(`^HTTP ${status}$`), status)
        assert.ok(!server.requests.includes(target))
      }
      assert.deepEqual(other.requests, [])
    })
  }

  for (const version of undiciVersions) {
    test(`undici ${version}: a dispatcher that follows redirects by itself does not follow them for keys`, async () => {
      const { Agent, interceptors } = await loadUndici(version)
      const following = new Agent().compose(interceptors.redirect({ maxRedirections: 5 }))
      const { document } = await get(redirect(302, '/followed'), { dispatcher: following })
      await assertFailure(document, /^HTTP 302$/, 302)
      assert.ok(!server.requests.includes('/followed'))
    })
  }
})

suite('a failed connection', () => {
  test('a refused connection is a failure', async () => {
    const gone = await LocalIssuer.start({ key: server.key })
    const url = new URL(gone.jwksUri)
    await gone.close()
    await assertFailure(fetchFrom(url), /^ECONNREFUSED$/)
  })

  test('an unknown host name is a failure', async () => {
    await assertFailure(fetchFrom(new URL('http://nope.invalid/')), /^(ENOTFOUND|EAI_AGAIN)$/)
  })

  test('https to a server that speaks http is a failure', async () => {
    const url = new URL(server.jwksUri.replace('http:', 'https:'))
    await assertFailure(fetchFrom(url), /^(ERR_SSL|EPROTO)/)
  })

  test('a URL with credentials is a failure whose reason does not contain them', async () => {
    const url = new URL(server.jwksUri)
    url.password = bodyText
    await assertFailure(fetchFrom(url), /^its URL contains credentials$/)
  })
})

suite('a dispatcher', () => {
  test('undici 8 is tested with the versions of Node in which it loads, from 22.19 on', async () => {
    assert.equal(clients.has('undici 8'), hasUndici8)
    if (!hasUndici8) await assert.rejects(loadUndici(8), TypeError)
  })

  test('an answer through a dispatcher is read from a connection that had other answers before', async () => {
    const { Agent } = await loadUndici(7)
    const dispatcher = new Agent({ connections: 1 })
    const text = JSON.stringify('a'.repeat(60_000))
    const connections = new Set<Socket>()
    for (let fetch = 0; fetch < 10; fetch += 1) {
      const inParts: Handler = (_request, response) => {
        response.write(text.slice(0, 30_000))
        void roundTrip().then(() => response.end(text.slice(30_000)))
      }
      const { document, connection } = await get(inParts, { dispatcher })
      assert.equal(await document, JSON.parse(text))
      connections.add(connection)
    }
    assert.equal(connections.size, 1)
  })

  test('every fetch goes through the dispatcher', async () => {
    const seen: string[] = []
    const dispatcher: Dispatcher = {
      dispatch(options: { origin: string; path: string }, handler: never) {
        seen.push(`${options.origin}${options.path}`)
        return agent.dispatch(options as never, handler)
      },
    }
    const { document } = await get((_request, response) => void response.end('{}'), { dispatcher })
    assert.deepEqual(await document, {})
    assert.deepEqual(seen, [server.origin + server.requests.at(-1)!])
  })

  for (const version of undiciVersions) {
    test(`undici ${version}: a request that waits for a connection is not sent once the signal has fired`, async () => {
      const { Agent } = await loadUndici(version)
      const dispatcher = new Agent({ connections: 1, pipelining: 1 })
      const { promise: first, resolve } = withResolvers<ServerResponse>()
      const { document } = await get((_request, response) => resolve(response), { dispatcher })
      const abort = new AbortController()
      const path = `/waits/${version}`
      const waiting = fetchFrom(new URL(path, server.origin), { signal: abort.signal, dispatcher })
      abort.abort('timeout')
      await assertFailure(waiting, /^timeout$/)
      void (await first).end('{}')
      await document
      const { document: last } = await get(sendJson({}), { dispatcher })
      await last
      assert.ok(!server.requests.includes(path))
    })

    test(`undici ${version}: the bytes of other requests of the process are not counted`, async () => {
      const { Agent } = await loadUndici(version)
      const dispatcher = new Agent()
      const { promise: held, resolve } = withResolvers<ServerResponse>()
      const { document } = await get((_request, response) => resolve(response), { dispatcher })
      const long: Handler = (_request, response) => {
        response.write(JSON.stringify('a'.repeat(400_000)).slice(0, -1))
        void roundTrip().then(() => response.end('"'))
      }
      const { document: other } = await get(long, { dispatcher, maxResponseSize: 2 ** 20 })
      await other
      void (await held).end('[1, 2]')
      assert.deepEqual(await document, [1, 2])
    })

    test(`undici ${version}: a MockAgent answers the fetch`, async () => {
      const { MockAgent } = await loadUndici(version)
      const dispatcher = new MockAgent()
      dispatcher.get('https://id.example.com').intercept({ path: '/jwks?a=b' }).reply(200, { keys: [] })
      const document = await fetchFrom(new URL('https://id.example.com/jwks?a=b'), { dispatcher })
      assert.deepEqual(document, { keys: [] })
    })
  }

  const errors: [name: string, thrown: Error, reason: RegExp][] = [
    ['an error with a code', Object.assign(new Error(bodyText), { code: 'PROXY_DOWN' }), /^PROXY_DOWN$/],
    ['an error without a code', new RangeError(bodyText), /^RangeError$/],
    ['an error without a name', Object.assign(new Error(bodyText), { name: undefined }), /^unknown failure$/],
  ]
  for (const [name, thrown, reason] of errors) {
    test(`a dispatcher that throws ${name} is a failure whose reason does not contain the message`, async () => {
      const dispatcher: Dispatcher = {
        dispatch() {
          throw thrown
        },
      }
      await assertFailure(fetchFrom(new URL(server.jwksUri), { dispatcher }), reason)
    })
  }
})

/** Waits for the end of a connection, also if it is an error for the server. */
async function closing(connection: Socket): Promise<void> {
  return new Promise((resolve) => connection.once('close', () => resolve()))
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}
