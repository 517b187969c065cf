import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { Agent } from 'undici'
import { fetchJson, FetchError, type Dispatcher, type FetchLimits } from '../../../lib/jwks/fetch-json.ts'
import { globalDispatcher } from '../../helpers/dispatcher.ts'
import { bodyText, hostile, redirect, zipped } from '../../helpers/hostile.ts'
import { createKeyPair, sendJson, LocalIssuer, type Handler } from '../../helpers/issuer.ts'

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

const agent = new Agent()

/** Fetches from a server with this answer. Returns its connection as well. */
async function get(
  handler: Handler,
  limits: Partial<FetchLimits> = {},
): Promise<{ document: Promise<unknown>; connection: Socket }> {
  const path = `/${crypto.randomUUID()}`
  const { promise: connected, resolve } = withResolvers<Socket>()
  server.on(path, (request, response) => {
    resolve(request.socket)
    handler(request, response)
  })
  const document = fetchFrom(new URL(path, server.origin), limits)
  document.catch(() => {})
  return { document, connection: await connected }
}

/** Makes another request. After it, everything that was sent before has arrived. */
async function roundTrip(): Promise<void> {
  const { document } = await get(sendJson({}))
  await document
}

async function fetchFrom(url: URL, limits: Partial<FetchLimits> = {}): Promise<unknown> {
  return fetchJson(url, {
    signal: AbortSignal.timeout(10_000),
    maxResponseSize: 65_536,
    dispatcher: undefined,
    ...limits,
  })
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

  test('the request accepts JSON, names the plugin and has no other data of the application', async () => {
    for (const dispatcher of [undefined, agent]) {
      const { promise, resolve } = withResolvers<Record<string, unknown>>()
      const { document } = await get(
        (request, response) => {
          resolve({ method: request.method, ...request.headers })
          response.end('{}')
        },
        { dispatcher },
      )
      await document
      const { method, accept, authorization, cookie, ...others } = await promise
      assert.deepEqual(
        { method, accept, authorization, cookie, 'user-agent': others['user-agent'] },
        {
          method: 'GET',
          accept: 'application/json',
          authorization: undefined,
          cookie: undefined,
          'user-agent': 'fastify-jwks-auth',
        },
      )
    }
  })

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
    ['is huge when decompressed and stalls', tooLong],
    ['is a 500', /^HTTP 500$/, 500],
    ['is a 404', /^HTTP 404$/, 404],
    ['is a 502 in HTML', /^HTTP 502$/, 502],
    ['is HTML', /^not JSON$/],
    ['is truncated JSON', /^not JSON$/],
    ['breaks off', /^(UND_ERR_SOCKET|ECONNRESET)$/],
    ['is empty', /^not JSON$/],
    ['has no content', /^not JSON$/],
    ['has a wrong content-encoding', /^Z_DATA_ERROR$/],
    ['has a wrong content-encoding and stalls', /^(Z_DATA_ERROR|ERR_+[A-Z_]+)$/],
    ['has an unknown content-encoding', /^not JSON$/],
    ['has a content-encoding of constructor', /^not JSON$/],
    ['is not HTTP', /^(HPE_[A-Z_]+|HTTPParserError)$/],
    ['is compressed and has no content and no end', tooLong],
    ['switches protocols', /^(it ended the connection|UND_ERR_SOCKET)$/],
    ['is a 404 with a wrong content-encoding', /^HTTP 404$/, 404],
    ['has endless headers', /^(UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW)$/],
    ['hangs up', /^(UND_ERR_SOCKET|ECONNRESET)$/],
    ['redirects to its own origin', /^HTTP 302$/, 302],
  ]
  test('an answer that has interim responses without end is a failure after few of them', async () => {
    const { document, connection } = await get(hostile['has interim responses without end']!)
    await assertFailure(document, /^no end of interim responses$/)
    await roundTrip()
    assert.ok(connection.bytesWritten < 32 * 2 ** 20, `${connection.bytesWritten} bytes`)
  })

  test('an answer with a few interim responses is accepted', async () => {
    const { document } = await get((_request, response) => {
      for (let hint = 0; hint < 10; hint += 1) response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.end('[1, 2]')
    })
    assert.deepEqual(await document, [1, 2])
  })

  for (const [name, reason, status] of failures) {
    test(`an answer that ${name} is a failure`, async () => {
      const { document } = await get(hostile[name]!)
      await assertFailure(document, reason, status)
    })

    // Through a dispatcher, fetch decompresses the answer, and its input is not limited.
    if (name === 'is compressed and has no content and no end') continue
    test(`an answer that ${name} is a failure through a dispatcher`, async () => {
      const { document } = await get(hostile[name]!, { dispatcher: agent })
      await assertFailure(document, reason, status)
    })
  }

  for (const name of [
    'hangs before its headers',
    'hangs after its headers',
    'trickles byte by byte',
    'trickles compressed bytes',
  ] as const) {
    test(`an answer that ${name} ends with the signal, and its connection ends too`, async () => {
      const abort = new AbortController()
      const { document, connection } = await get(hostile[name]!, { signal: abort.signal })
      const closed = closing(connection)
      await roundTrip()
      abort.abort('timeout')
      await assertFailure(document, /^timeout$/)
      await closed
    })
  }

  test('no request is sent if the signal has fired before', async () => {
    const path = '/too-late'
    await assertFailure(
      fetchFrom(new URL(path, server.origin), { signal: AbortSignal.abort('closed') }),
      /^closed$/,
    )
    assert.ok(!server.requests.includes(path))
  })

  for (const name of [
    'has no end',
    'is an error without end',
    'is compressed and has no content and no end',
    'is huge when decompressed and stalls',
    'has a wrong content-encoding and stalls',
  ]) {
    test(`an answer that ${name} is read in small part, and its connection ends at once`, async () => {
      const { document, connection } = await get(hostile[name]!)
      await assert.rejects(document, FetchError)
      await roundTrip()
      assert.equal(connection.destroyed, true)
      // The buffers of two sockets hold less than that.
      assert.ok(connection.bytesWritten < 32 * 2 ** 20, `${connection.bytesWritten} bytes`)
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
  test('every fetch goes through the dispatcher', async () => {
    const seen: string[] = []
    const dispatcher: Dispatcher = {
      dispatch(options: { origin: string; path: string }, handler: never) {
        seen.push(`${options.origin}${options.path}`)
        return globalDispatcher().dispatch(options as never, handler)
      },
    }
    const { document } = await get((_request, response) => void response.end('{}'), { dispatcher })
    assert.deepEqual(await document, {})
    assert.deepEqual(seen, [server.origin + server.requests.at(-1)!])
  })

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
