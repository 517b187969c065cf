import { isTooDeep } from '../jwt/json.ts'
import { unpack } from './content-encoding.ts'
import { requestThrough, type Dispatcher } from './dispatcher-client.ts'
import { FetchError } from './fetch-error.ts'
import { requestOverHttp } from './node-client.ts'
import { ResponseReader } from './response-reader.ts'

export interface FetchOptions {
  readonly signal: AbortSignal
  /** The time to connect in milliseconds. The signal ends the whole fetch. */
  readonly timeout: number
  /** Maximum size of the body in bytes, packed and unpacked. */
  readonly maxResponseSize: number
  readonly dispatcher: Dispatcher | undefined
}

/** kube-apiserver serves its keys only to clients that accept `application/jwk-set+json`. */
const headers = {
  accept: 'application/json, application/jwk-set+json',
  'accept-encoding': 'identity',
  'user-agent': 'fastify-jwks-auth',
}

/**
 * Fetches a JSON document. The deadline and the limits hold until the last byte. Redirects are not followed.
 *
 * @throws {FetchError}
 */
export async function fetchJson(
  url: URL,
  { signal, timeout, maxResponseSize, dispatcher }: FetchOptions,
): Promise<{ status: number; document: unknown }> {
  if (url.username || url.password) throw new FetchError('its URL contains credentials')
  if (signal.aborted) throw new FetchError(String(signal.reason))
  const reader = new ResponseReader(signal, maxResponseSize)
  try {
    if (dispatcher) requestThrough(dispatcher, url, headers, reader)
    else requestOverHttp(url, headers, timeout, reader)
  } catch (error) {
    reader.onError(error)
  }
  const { status, encoding, body } = await reader.response
  // TextDecoder drops a byte order mark, as the json() of a response does.
  const text = new TextDecoder().decode(await unpack(body, encoding, maxResponseSize))
  if (isTooDeep(text)) throw new FetchError('JSON that is nested too deeply', { status })
  try {
    return { status, document: JSON.parse(text) as unknown }
  } catch {
    throw new FetchError('not JSON', { status })
  }
}
