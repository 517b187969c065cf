import { get as getOverHttp, type IncomingMessage } from 'node:http'
import { get as getOverHttps } from 'node:https'
import { pipeline, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

/** An undici dispatcher, known by its one method so that undici's types needn't be installed. */
export interface Dispatcher {
  dispatch(options: never, handler: never): boolean
}

export interface FetchLimits {
  readonly signal: AbortSignal
  /** Bytes of the body, unpacked. */
  readonly maxResponseSize: number
  readonly dispatcher: Dispatcher | undefined
}

/** Why an issuer gave no good answer: fit for a log line, since nothing of the answer is in it. */
export class IssuerFailure extends Error {
  /** The HTTP status where that is the reason. */
  readonly status: number | undefined

  constructor(reason: string, status?: number) {
    super(reason)
    this.status = status
  }
}

/** An answer whose body has not been read. To leave a loop over the body before its end closes the connection. */
interface Answer {
  readonly status: number
  readonly body: AsyncIterable<Uint8Array>
  /** Closes the connection of one whose body nobody wants. */
  discard(): unknown
}

/**
 * Fetches a JSON document within limits that hold for the last byte as for the first. Redirects are not
 * followed: they could lead away from the origin that was configured.
 *
 * @throws {IssuerFailure}
 */
export async function fetchJson(url: URL, limits: FetchLimits): Promise<unknown> {
  const text = await fetchText(url, limits).catch((error: unknown) => {
    throw error instanceof IssuerFailure ? error : new IssuerFailure(reasonOf(error, limits.signal))
  })
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new IssuerFailure('not JSON')
  }
}

async function fetchText(url: URL, { signal, maxResponseSize, dispatcher }: FetchLimits): Promise<string> {
  if (url.username || url.password) throw new IssuerFailure('its URL holds credentials')
  const answer = await (dispatcher ? byFetch(url, signal, dispatcher) : byHttp(url, signal, maxResponseSize))
  const { status } = answer
  if (status < 200 || status > 299) {
    await answer.discard()
    throw new IssuerFailure(`HTTP ${status}`, status)
  }
  const chunks: Uint8Array[] = []
  // What is counted has been unpacked already.
  for await (const chunk of bounded(answer.body, maxResponseSize)) chunks.push(chunk)
  // It drops a byte order mark, as a response's own json() does.
  return new TextDecoder().decode(Buffer.concat(chunks))
}

async function* bounded(chunks: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.byteLength
    if (size > most) throw new IssuerFailure(`over ${most} bytes`)
    yield chunk
  }
}

const headers = { accept: 'application/json', 'user-agent': 'fastify-jwks-auth' }

/** Interim responses (RFC 9110 section 15.2) before an answer. */
const mostInterim = 10

/** Not by `fetch`, which loads a second HTTP client and makes every later request to the server dearer. */
async function byHttp(url: URL, signal: AbortSignal, maxResponseSize: number): Promise<Answer> {
  const get = url.protocol === 'https:' ? getOverHttps : getOverHttp
  // No agent: on a connection of its own no answer can be there before it was asked for.
  const options = { agent: false, signal, headers: { ...headers, 'accept-encoding': 'identity' } }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    let interim = 0
    const request = get(url, options, resolve)
      .on('error', reject)
      // A switch of protocols is neither an answer nor an error.
      .on('close', () => reject(new IssuerFailure('it ended the connection')))
      .on('information', () => {
        interim += 1
        if (interim > mostInterim) request.destroy(new IssuerFailure('no end of interim responses'))
      })
  })
  // Some pack whatever is asked for. What is packed is bounded as well, since it may be packed out of nothing.
  const unpack = unpackers.get(response.headers['content-encoding']?.trim().toLowerCase())
  const packed = (): AsyncIterable<Uint8Array> => bounded(response, maxResponseSize)
  const body = unpack ? pipeline(packed, unpack(), () => {}) : response
  return { status: response.statusCode!, body: closing(response, body), discard: () => response.destroy() }
}

/** Unpacking can fail while more of the response is awaited, and does not end it by itself. */
async function* closing(
  response: IncomingMessage,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } finally {
    response.destroy()
  }
}

const unpackers = new Map<string | undefined, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
])

/** A dispatcher is made for `fetch`, and would be hard to talk to in any other way. */
async function byFetch(url: URL, signal: AbortSignal, dispatcher: Dispatcher): Promise<Answer> {
  const response = await fetch(url, {
    headers,
    redirect: 'manual',
    signal,
    dispatcher: dispatcher as NonNullable<RequestInit['dispatcher']>,
  })
  const body = (response.body ?? []) as AsyncIterable<Uint8Array>
  return { status: response.status, body, discard: () => response.body?.cancel() }
}

/** The name of a failure and not its message, which could quote the answer. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return String(signal.reason)
  const { cause = error } = error as { cause?: unknown }
  const { code, name } = cause as { code?: string; name?: string }
  return code ?? name ?? 'unknown failure'
}
