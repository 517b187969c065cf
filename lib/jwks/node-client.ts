import http, { type AgentOptions, type RequestOptions } from 'node:http'
import https from 'node:https'
import { FetchError } from './fetch-error.ts'
import type { ResponseReader } from './response-reader.ts'

/** Later versions of Node have this option: the environment variables of the proxy. */
interface ProxyOptions extends AgentOptions {
  readonly proxyEnv?: object | undefined
}

interface ClientOptions extends RequestOptions {
  readonly autoSelectFamilyAttemptTimeout: number
}

/**
 * Requests a URL with node:http, which Fastify has loaded. Node's `fetch` loads a second HTTP client, which slows down all later
 * requests to the server. The functions are called on the module objects, because nock, msw and tools for monitoring patch these.
 *
 * @param timeout - The time in milliseconds to connect to an address of the host.
 */
export function requestOverHttp(
  url: URL,
  headers: Readonly<Record<string, string>>,
  timeout: number,
  reader: ResponseReader,
): void {
  const client = url.protocol === 'https:' ? https : http
  const { options: global } = client.globalAgent as { readonly options?: ProxyOptions }
  // A new agent has a new connection, on which no earlier answer can be waiting.
  const agentOptions: ProxyOptions = { proxyEnv: global?.proxyEnv }
  const options: ClientOptions = {
    agent: new client.Agent(agentOptions),
    // Node's default gives an address 250 ms if the host has several.
    autoSelectFamilyAttemptTimeout: timeout,
    headers,
  }
  // A switch of protocols emits neither a response nor an error.
  const onClose = (): void => reader.onError(new FetchError('it ended the connection'))
  const request = client.get(url, options)
  reader.onStart(() => request.destroy())
  request
    .on('close', onClose)
    .on('socket', (socket) => socket.on('data', () => reader.onRead(socket.bytesRead)))
    .on('information', () => reader.onInterimResponse())
    .on('response', (response) => {
      request.off('close', onClose)
      reader.onHead(response.statusCode!, response.headers)
      response
        .on('data', (chunk: Buffer) => reader.onData(chunk))
        .on('end', () => reader.onEnd())
        .on('error', (error) => reader.onError(error))
    })
    .on('error', (error) => reader.onError(error))
}
