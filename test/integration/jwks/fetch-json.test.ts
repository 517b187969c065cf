import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { Agent } from 'undici'
import { fetchJson, IssuerFailure, type Dispatcher, type FetchLimits } from '../../../lib/jwks/fetch-json.ts'
import { globalDispatcher } from '../../helpers/dispatcher.ts'
import { bodyText, hostile, redirect, zipped } from '../../helpers/hostile.ts'
import { createKeyPair, sendJson, LocalIssuer, type Handler } from '../../helpers/issuer.ts'

let server: LocalIssuer
/** An issuer for tests keeps no process alive, and some of these wait for nothing else. */
let awake: NodeJS.Timeout
before(async () => {
  awake = setInterval(() => {}, 60_000)
  server = await LocalIssuer.start({ key: await createKeyPair('ES256') })
})
after(async () => {
  clearInterval(awake)
  await server.close()
})

/** A dispatcher as an application would give it. */
const agent = new Agent()

/** Fetches from a server with one answer, of which the connection is handed out. */
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

/** By the end of another request, what was sent before has come. */
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

/** Asserts a failure with its reason, in which there is nothing of the answer. */
async function assertFailure(document: Promise<unknown>, reason: RegExp, status?: number): Promise<void> {
  await assert.rejects(document, (error) => {
    assert.ok(error instanceof IssuerFailure)
    assert.match(error.message, reason)
    assert.ok(!error.message.includes(bodyText))
    assert.equal(error.status, status)
    return true
  })
}

const tooLong = /^over 65536 bytes$/

test('a byte order mark before the JSON is dropped', async () => {
  const { document } = await get((_request, response) => response.end('\ufeff{"a":1}'))
  assert.deepEqual(await document, { a: 1 })
})

suite('a good answer', () => {
  test('it is the document', async () => {
    const { document } = await get(sendJson({ keys: [1, 'two', null] }))
    assert.deepEqual(await document, { keys: [1, 'two', null] })
  })

  test("its media type and its length are nobody's concern", async () => {
    const { document } = await get((_request, response) => {
      response.writeHead(201, { 'content-type': 'text/plain' }).flushHeaders()
      response.end('[1, 2]')
    })
    assert.deepEqual(await document, [1, 2])
  })

  test('it may come in parts, be they parts of a character', async () => {
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

  test('it may begin with a byte order mark', async () => {
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
    test(`it may be packed with ${encoding}`, async () => {
      const { document } = await get((_request, response) => {
        response.writeHead(200, { 'content-encoding': encoding }).end(pack('[1, 2]'))
      })
      assert.deepEqual(await document, [1, 2])
    })
  }

  test('the request says that JSON is wanted and who asks, and nothing of the application', async () => {
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

  test('it may be as long as allowed and not a byte longer', async () => {
    const text = JSON.stringify('é'.repeat(1_000))
    const size = Buffer.byteLength(text)
    const answer: Handler = (_request, response) => void response.end(text)
    const { document } = await get(answer, { maxResponseSize: size })
    assert.equal(await document, JSON.parse(text))
    const longer = await get(answer, { maxResponseSize: size - 1 })
    await assertFailure(longer.document, /^over 2001 bytes$/)
  })
})

suite('a hostile answer', { timeout: 30_000 }, () => {
  // First of all, since the peak of what the process has used is compared.
  test('one that is huge when it is unpacked takes little memory', async () => {
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
    ['has no end and is an error', /^HTTP 500$/, 500],
    ['is huge when it is unpacked', tooLong],
    ['is huge when it is unpacked and stalls', tooLong],
    ['says 500', /^HTTP 500$/, 500],
    ['says 404', /^HTTP 404$/, 404],
    ['says 502 in HTML', /^HTTP 502$/, 502],
    ['is HTML', /^not JSON$/],
    ['is truncated JSON', /^not JSON$/],
    ['breaks off', /^(UND_ERR_SOCKET|ECONNRESET)$/],
    ['is empty', /^not JSON$/],
    ['has no content', /^not JSON$/],
    ['is not packed as it says', /^Z_DATA_ERROR$/],
    ['is not packed as it says and stalls', /^(Z_DATA_ERROR|ERR_+[A-Z_]+)$/],
    ['is packed in a way nobody knows', /^not JSON$/],
    ['is packed in a way that only objects know', /^not JSON$/],
    ['is not HTTP', /^(HPE_[A-Z_]+|HTTPParserError)$/],
    ['is packed out of nothing', tooLong],
    ['switches protocols', /^(it ended the connection|UND_ERR_SOCKET)$/],
    ['says 404 and is not packed as it says', /^HTTP 404$/, 404],
    ['has endless headers', /^(UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW)$/],
    ['hangs up', /^(UND_ERR_SOCKET|ECONNRESET)$/],
    ['redirects to its own origin', /^HTTP 302$/, 302],
  ]
  test('one that has no end of interim responses is a failure, soon', async () => {
    const { document, connection } = await get(hostile['has no end of interim responses']!)
    await assertFailure(document, /^no end of interim responses$/)
    await roundTrip()
    assert.ok(connection.bytesWritten < 32 * 2 ** 20, `${connection.bytesWritten} bytes`)
  })

  test('a few interim responses are none', async () => {
    const { document } = await get((_request, response) => {
      for (let hint = 0; hint < 10; hint += 1) response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.end('[1, 2]')
    })
    assert.deepEqual(await document, [1, 2])
  })

  for (const [name, reason, status] of failures) {
    test(`one that ${name} is a failure`, async () => {
      const { document } = await get(hostile[name]!)
      await assertFailure(document, reason, status)
    })

    // How an answer is packed is fetch's affair there, and so is how much of it is unpacked to nothing.
    if (name === 'is packed out of nothing') continue
    test(`one that ${name} is a failure through a dispatcher`, async () => {
      const { document } = await get(hostile[name]!, { dispatcher: agent })
      await assertFailure(document, reason, status)
    })
  }

  for (const name of [
    'hangs before its headers',
    'hangs after its headers',
    'trickles byte by byte',
    'trickles and is packed',
  ] as const) {
    test(`one that ${name} ends with the signal, and with it its connection`, async () => {
      const abort = new AbortController()
      const { document, connection } = await get(hostile[name]!, { signal: abort.signal })
      const closed = closing(connection)
      // By the end of another answer the beginning of this one has come.
      await (
        await get(sendJson({}))
      ).document
      abort.abort('timeout')
      await assertFailure(document, /^timeout$/)
      await closed
    })
  }

  test('nothing is sent where the signal has fired before', async () => {
    const path = '/too-late'
    await assertFailure(
      fetchFrom(new URL(path, server.origin), { signal: AbortSignal.abort('closed') }),
      /^closed$/,
    )
    assert.ok(!server.requests.includes(path))
  })

  for (const name of [
    'has no end',
    'has no end and is an error',
    'is packed out of nothing',
    'is huge when it is unpacked and stalls',
    'is not packed as it says and stalls',
  ]) {
    test(`of one that ${name} little is read, and its connection ends at once`, async () => {
      const { document, connection } = await get(hostile[name]!)
      await assert.rejects(document, IssuerFailure)
      await roundTrip()
      assert.equal(connection.destroyed, true)
      // What the buffers of two sockets hold, and no more.
      assert.ok(connection.bytesWritten < 32 * 2 ** 20, `${connection.bytesWritten} bytes`)
    })
  }
})

suite('connections', () => {
  test('each fetch has one of its own, so that no answer is there before it was asked for', async () => {
    const connections = []
    for (let fetch = 0; fetch < 3; fetch += 1) {
      const { document, connection } = await get((request, response) => {
        // No word of closing, and more than was asked for.
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
    test(`${status} is not followed, neither to the same origin nor to another`, async () => {
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

suite('no connection', () => {
  test('a refused one is a failure', async () => {
    const gone = await LocalIssuer.start({ key: server.key })
    const url = new URL(gone.jwksUri)
    await gone.close()
    await assertFailure(fetchFrom(url), /^ECONNREFUSED$/)
  })

  test('a name that is not known is a failure', async () => {
    await assertFailure(fetchFrom(new URL('http://nope.invalid/')), /^(ENOTFOUND|EAI_AGAIN)$/)
  })

  test('https to a server that speaks http is a failure', async () => {
    const url = new URL(server.jwksUri.replace('http:', 'https:'))
    await assertFailure(fetchFrom(url), /^(ERR_SSL|EPROTO)/)
  })

  test('a URL with credentials is a failure that does not tell them', async () => {
    const url = new URL(server.jwksUri)
    url.password = bodyText
    await assertFailure(fetchFrom(url), /^its URL holds credentials$/)
  })
})

suite("a dispatcher of one's own", () => {
  test('every fetch goes through it', async () => {
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
    test(`one that throws ${name} is a failure that does not tell its message`, async () => {
      const dispatcher: Dispatcher = {
        dispatch() {
          throw thrown
        },
      }
      await assertFailure(fetchFrom(new URL(server.jwksUri), { dispatcher }), reason)
    })
  }
})

/** Waits for the end of a connection, which may well be an error to the server. */
async function closing(connection: Socket): Promise<void> {
  return new Promise((resolve) => connection.once('close', () => resolve()))
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}
