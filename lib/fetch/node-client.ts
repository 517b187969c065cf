import http, { type AgentOptions, type ClientRequest, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { FetchError } from './fetch-error.ts'
import type { ResponseReader } from './response-reader.ts'

/** Later versions of Node have this option: the environment variables of the proxy. */
interface ProxyOptions extends AgentOptions {
  readonly proxyEnv?: object | undefined
}

interface ClientOptions extends RequestOptions {
  readonly autoSelectFamilyAttemptTimeout: number
}

/** The time in milliseconds after which the other family of addresses is tried as well (RFC 8305 section 5). */
const attemptDelay = 250

/**
 * Requests a URL with node:http, which Fastify has loaded. Node's `fetch` loads a second HTTP client, which slows down all later
 * requests to the server.
 *
 * If the host has IPv4 and IPv6 addresses and a connection takes long, one to the other family is tried next to it. The first
 * connection sends the request. Node alone would give up an address after 250 ms.
 *
 * @param timeout - The time in milliseconds that a connection may take.
 */
export function requestOverHttp(
  url: URL,
  headers: Readonly<Record<string, string>>,
  timeout: number,
  reader: ResponseReader,
): void {
  const requests = new Set<ClientRequest>()
  const start = (family?: number): void => {
    const request = openRequest(url, headers, timeout, family)
    requests.add(request)
    const onError = (error: unknown): void => {
      if (requests.delete(request) && requests.size === 0) reader.onError(error)
    }
    // A switch of protocols emits neither a response nor an error.
    const onClose = (): void => onError(new FetchError('it ended the connection'))
    request
      .on('socket', (socket) => {
        socket.on('data', () => reader.onRead(socket.bytesRead))
        socket.once('connect', () => keepOnly(request, requests))
        if (family === undefined) timer = tryOtherFamily(socket, start)
      })
      .on('information', () => reader.onInterimResponse())
      .on('response', (response) => {
        request.off('close', onClose)
        reader.onHead(response.statusCode!, response.headers)
        response
          .on('data', (chunk: Buffer) => reader.onData(chunk))
          .on('end', () => reader.onEnd())
          .on('error', onError)
      })
      .on('error', onError)
      .on('close', onClose)
  }
  let timer: NodeJS.Timeout | undefined
  reader.onStart(() => {
    clearTimeout(timer)
    for (const request of requests) request.destroy()
  })
  start()
}

/** The functions are called on the module objects, because nock, msw and tools for monitoring patch these. */
function openRequest(
  url: URL,
  headers: Readonly<Record<string, string>>,
  timeout: number,
  family: number | undefined,
): ClientRequest {
  const client = url.protocol === 'https:' ? https : http
  const { options: global } = client.globalAgent as { readonly options?: ProxyOptions }
  // A new agent has a new connection, on which no earlier answer can be waiting.
  const agentOptions: ProxyOptions = { proxyEnv: global?.proxyEnv }
  const options: ClientOptions = {
    agent: new client.Agent(agentOptions),
    autoSelectFamilyAttemptTimeout: timeout,
    family,
    headers,
  }
  return client.get(url, options)
}

function tryOtherFamily(socket: Socket, start: (family: number) => void): NodeJS.Timeout {
  const families = new Set<number | string>()
  let attempted: number | undefined
  socket
    .on('lookup', (_error, _address, family) => families.add(family))
    .on('connectionAttempt', (_address: string, _port: number, family: number) => (attempted = family))
  return setTimeout(() => {
    if (socket.connecting && families.size > 1) start(attempted === 6 ? 4 : 6)
  }, attemptDelay)
}

function keepOnly(request: ClientRequest, requests: Set<ClientRequest>): void {
  for (const other of requests) {
    if (other === request) continue
    requests.delete(other)
    other.destroy()
  }
}
