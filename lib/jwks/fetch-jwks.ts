import { discoverJwksUri } from './discovery.ts'
import { FetchError } from './fetch-error.ts'
import { fetchJson, type FetchOptions } from './fetch-json.ts'

/** Where the keys of an issuer are. */
export interface JwksSource {
  readonly issuer: string
  /** Undefined if it is discovered. */
  readonly jwksUri: URL | undefined
  readonly allowInsecure: boolean
}

/**
 * Fetches the JWK Set of an issuer. Discovery is part of every fetch, so keys are never fetched from a URL that the issuer no longer
 * uses.
 *
 * @throws {FetchError}
 */
export async function fetchJwks(
  { issuer, jwksUri, allowInsecure }: JwksSource,
  options: FetchOptions,
): Promise<unknown> {
  const get = async (url: URL): Promise<unknown> => (await fetchTwice(url, options)).document
  return get(jwksUri ?? (await discoverJwksUri(issuer, allowInsecure, get)))
}

/** Repeats a request once if its connection breaks before an answer. */
async function fetchTwice(url: URL, options: FetchOptions): ReturnType<typeof fetchJson> {
  try {
    return await fetchJson(url, options)
  } catch (error) {
    if (error instanceof FetchError && error.isDisconnected) return fetchJson(url, options)
    throw error
  }
}
