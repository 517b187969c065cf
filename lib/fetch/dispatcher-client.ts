import { channel } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { ResponseHeaders, ResponseReader } from './response-reader.ts'

/** An undici dispatcher. Only the method is declared, so that undici's types need not be installed. */
export interface Dispatcher {
  dispatch(options: never, handler: never): boolean
}

/** undici 7 and 8 pass a controller to each method of a handler. */
interface Controller {
  abort(reason: Error): void
}

/**
 * Requests a URL through an undici dispatcher. Its `fetch` is not used, because it ends the process with an uncaught error if it
 * pauses an answer whose connection closes. The handler here pauses nothing: the limits of the reader end an answer instead.
 */
export function requestThrough(
  dispatcher: Dispatcher,
  url: URL,
  headers: Readonly<Record<string, string>>,
  reader: ResponseReader,
): void {
  const unwatch = watchSocket(url, reader)
  void reader.response.then(unwatch, unwatch)
  // Without redirects, also if the dispatcher follows them by default.
  const options = {
    origin: url.origin,
    path: url.pathname + url.search,
    method: 'GET',
    headers,
    maxRedirections: 0,
  }
  dispatcher.dispatch(options as never, createHandler(reader) as never)
}

/** A handler with the methods of undici 6 and with those of undici 7 and 8. */
function createHandler(reader: ResponseReader): object {
  const onHead = (status: number, headers: ResponseHeaders): void => {
    if (status < 200) reader.onInterimResponse()
    else reader.onHead(status, headers)
  }
  return {
    onConnect(abort: (reason: Error) => void) {
      reader.onStart(() => abort(new Error('cancelled')))
    },
    onHeaders(status: number, headers: Buffer[]): boolean {
      onHead(status, headersOf(headers))
      return true
    },
    onData(chunk: Buffer): boolean {
      reader.onData(chunk)
      return true
    },
    onComplete: () => reader.onEnd(),
    onError: (error: unknown) => reader.onError(error),

    onRequestStart(controller: Controller) {
      reader.onStart(() => controller.abort(new Error('cancelled')))
    },
    onResponseStart: (_controller: Controller, status: number, headers: ResponseHeaders) =>
      onHead(status, headers),
    onResponseData: (_controller: Controller, chunk: Buffer) => reader.onData(chunk),
    onResponseEnd: () => reader.onEnd(),
    onResponseError: (_controller: Controller, error: unknown) => reader.onError(error),
  }
}

/** Names and values in turn. */
function headersOf(raw: readonly Buffer[]): ResponseHeaders {
  const headers: Record<string, string> = {}
  for (let index = 0; index + 1 < raw.length; index += 2) {
    headers[raw[index]!.toString().toLowerCase()] ??= raw[index + 1]!.toString('latin1')
  }
  return headers
}

interface SentRequest {
  readonly request: { readonly origin: unknown; readonly path: unknown }
  readonly socket: Socket
}

/** A handler sees only bodies and headers. undici publishes the socket of each request, which knows how many bytes were read. */
const sentRequests = channel('undici:client:sendHeaders')

function watchSocket(url: URL, reader: ResponseReader): () => void {
  let stop = (): void => {}
  const onSent = (message: unknown): void => {
    const { request, socket } = message as SentRequest
    if (String(request.origin) !== url.origin || request.path !== url.pathname + url.search) return
    stop()
    const before = socket.bytesRead
    const onReadable = (): void => reader.onRead(socket.bytesRead - before)
    socket.on('readable', onReadable)
    stop = () => socket.off('readable', onReadable)
  }
  sentRequests.subscribe(onSent)
  return () => {
    sentRequests.unsubscribe(onSent)
    stop()
  }
}
