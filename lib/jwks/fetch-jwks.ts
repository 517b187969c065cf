import { setMaxListeners } from 'node:events'
import type { FetchAttempt } from '../channels.ts'
import { isObject } from '../jwt/json.ts'
import { discoverJwksUri, type DiscoveredIssuer } from './discovery.ts'
import { FetchError } from '../fetch/fetch-error.ts'
import { fetchJson, type FetchOptions } from '../fetch/fetch-json.ts'
import { maxKeys } from './jwk.ts'

/** Maximum number of characters of a URL in a log line. */
const maxUrlLength = 200

/** Where the keys of an issuer are. */
export interface JwksSource extends DiscoveredIssuer {
  /** Undefined if it is discovered. */
  readonly jwksUris: readonly URL[] | undefined
}

/**
 * Fetches the JWK Set of an issuer. Discovery is part of every fetch, so keys are never fetched from a URL that the issuer no longer
 * uses.
 *
 * @param attempts - Each request is added when it starts, and its result when it ends.
 * @throws {FetchError}
 */
export async function fetchJwks(
  source: JwksSource,
  options: FetchOptions,
  attempts: FetchAttempt[],
): Promise<unknown> {
  // Each request listens. Node warns from the eleventh listener on.
  setMaxListeners(0, options.signal)
  const get = (step: FetchAttempt['step'], url: URL): Promise<unknown> =>
    fetchTwice(step, url, options, attempts)
  const uris = source.jwksUris ?? [await discoverJwksUri(source, (url) => get('metadata', url))]
  if (uris.length === 1) return get('keys', uris[0]!)
  let count = 0
  const getKeys = async (uri: URL): Promise<unknown[]> => {
    const keys = keysOf(await get('keys', uri))
    count += keys.length
    if (count > maxKeys) throw new FetchError(`over ${maxKeys} keys`)
    return keys
  }
  // Every request has ended before the result, so that none goes on without the deadline.
  const results = await Promise.allSettled(uris.map(getKeys))
  const failure = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
  if (failure) throw failure.reason
  return { keys: results.flatMap((result) => (result as PromiseFulfilledResult<unknown[]>).value) }
}

/** Only the keys of a document, so that its other members take no memory while other documents are fetched. */
function keysOf(document: unknown): unknown[] {
  if (!isObject(document) || !Array.isArray(document.keys)) throw new FetchError('not a JWK Set')
  return document.keys as unknown[]
}

/** Repeats a request once if its connection breaks before an answer. */
async function fetchTwice(...parameters: Parameters<typeof attempt>): Promise<unknown> {
  try {
    return await attempt(...parameters)
  } catch (error) {
    if (error instanceof FetchError && error.isDisconnected) return attempt(...parameters)
    throw error
  }
}

async function attempt(
  step: FetchAttempt['step'],
  url: URL,
  options: FetchOptions,
  attempts: FetchAttempt[],
): Promise<unknown> {
  // A query may contain a secret. Metadata may name a URL of any length.
  const index = attempts.push({ step, url: (url.origin + url.pathname).slice(0, maxUrlLength) }) - 1
  const end = (result: Pick<FetchAttempt, 'status' | 'reason'>): void => {
    attempts[index] = { ...attempts[index]!, ...result }
  }
  try {
    const { status, document } = await fetchJson(url, options)
    end({ status })
    return document
  } catch (error) {
    const { message: reason, status } = error as FetchError
    end({ ...(status !== undefined && { status }), reason })
    throw error
  }
}
