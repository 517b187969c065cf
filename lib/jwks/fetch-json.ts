import { get as getOverHttp, type IncomingMessage } from 'node:http'
import { get as getOverHttps } from 'node:https'
import { pipeline, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

/** An undici dispatcher. Only the method is declared, so that undici's types need not be installed. */
export interface Dispatcher {
  dispatch(options: never, handler: never): boolean
}

export interface FetchLimits {
  readonly signal: AbortSignal
  /** Maximum size of the body in bytes, unpacked. */
  readonly maxResponseSize: number
  readonly dispatcher: Dispatcher | undefined
}

/** Why a document could not be fetched. The message is fit for a log, because it contains no text of the answer. */
export class FetchError extends Error {
  /** The HTTP status, if it is the reason. */
  readonly status: number | undefined

  constructor(reason: string, status?: number) {
    super(reason)
    this.status = status
  }
}

/** A response whose body has not been read. Leaving a loop over the body before its end closes the connection. */
interface Response {
  readonly status: number
  readonly body: AsyncIterable<Uint8Array>
  /** Closes the connection without reading the body. */
  discard(): unknown
}

/**
 * Fetches a JSON document. The deadline and the size limit hold until the last byte. Redirects are not followed, because they
 * could lead to another origin than the configured one.
 *
 * @throws {FetchError}
 */
export async function fetchJson(url: URL, limits: FetchLimits): Promise<unknown> {
  const text = await fetchText(url, limits).catch((error: unknown) => {
    throw error instanceof FetchError ? error : new FetchError(reasonOf(error, limits.signal))
  })
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new FetchError('not JSON')
  }
}

async function fetchText(url: URL, { signal, maxResponseSize, dispatcher }: FetchLimits): Promise<string> {
  if (url.username || url.password) throw new FetchError('its URL contains credentials')
  const response = await (dispatcher
    ? fetchWith(dispatcher, url, signal)
    : requestOverHttp(url, signal, maxResponseSize))
  const { status } = response
  if (status < 200 || status > 299) {
    await response.discard()
    throw new FetchError(`HTTP ${status}`, status)
  }
  const chunks: Uint8Array[] = []
  // The body is unpacked already.
  for await (const chunk of limited(response.body, maxResponseSize)) chunks.push(chunk)
  // TextDecoder drops a byte order mark, as the json() of a response does.
  return new TextDecoder().decode(Buffer.concat(chunks))
}

async function* limited(chunks: AsyncIterable<Uint8Array>, maxSize: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.byteLength
    if (size > maxSize) throw new FetchError(`over ${maxSize} bytes`)
    yield chunk
  }
}

const headers = { accept: 'application/json', 'user-agent': 'fastify-jwks-auth' }

/** Maximum number of interim responses (RFC 9110 section 15.2) before the final response. */
const maxInterimResponses = 10

/** Uses node:http, which Fastify has loaded. Node's `fetch` loads a second HTTP client, which slows down all later requests to the server. */
async function requestOverHttp(url: URL, signal: AbortSignal, maxResponseSize: number): Promise<Response> {
  const get = url.protocol === 'https:' ? getOverHttps : getOverHttp
  // Without an agent each request has a connection of its own, on which no earlier answer can be waiting.
  const options = { agent: false, signal, headers: { ...headers, 'accept-encoding': 'identity' } }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    let interimResponses = 0
    const request = get(url, options, resolve)
      .on('error', reject)
      // A switch of protocols emits neither a response nor an error.
      .on('close', () => reject(new FetchError('it ended the connection')))
      .on('information', () => {
        interimResponses += 1
        if (interimResponses > maxInterimResponses) {
          request.destroy(new FetchError('no end of interim responses'))
        }
      })
  })
  // Some servers pack regardless of accept-encoding. The packed size is limited as well, because it may unpack to nothing.
  const unpack = unpackers.get(response.headers['content-encoding']?.trim().toLowerCase())
  const packed = (): AsyncIterable<Uint8Array> => limited(response, maxResponseSize)
  const body = unpack ? pipeline(packed, unpack(), () => {}) : response
  return { status: response.statusCode!, body: closing(response, body), discard: () => response.destroy() }
}

/** Closes the connection in any case. An error in the unpacker alone would leave it open. */
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

/** Dispatchers are made for `fetch`. */
async function fetchWith(dispatcher: Dispatcher, url: URL, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, {
    headers,
    redirect: 'manual',
    signal,
    dispatcher: dispatcher as NonNullable<RequestInit['dispatcher']>,
  })
  const body = (response.body ?? []) as AsyncIterable<Uint8Array>
  return { status: response.status, body, discard: () => response.body?.cancel() }
}

/** The code or the name of an error, and not its message, which could quote the answer. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return String(signal.reason)
  const { cause = error } = error as { cause?: unknown }
  const { code, name } = cause as { code?: string; name?: string }
  return code ?? name ?? 'unknown failure'
}
