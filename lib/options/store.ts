import type { JwksStore } from '../jwks/jwks-store.ts'
import type { StoreSettings } from '../jwks/shared-jwks.ts'
import { invalidOption } from './assert.ts'

/** As long as the hash of HMAC-SHA256 (RFC 2104 section 3). */
const minSecret = 32

/** Reads the options `jwks.store` and `jwks.storeSecret`, which need each other. */
export function readStore(store: unknown, secret: unknown): StoreSettings | undefined {
  if (store === undefined) {
    if (secret !== undefined) invalidOption('jwks.storeSecret', 'needs "jwks.store"')
    return undefined
  }
  const { get, set } = (store ?? {}) as Partial<Record<keyof JwksStore, unknown>>
  if (typeof get !== 'function' || typeof set !== 'function') {
    invalidOption(
      'jwks.store',
      'must be an object with the functions get and set, such as redisStore(client)',
    )
  }
  const right = `a string or a Uint8Array of at least ${minSecret} bytes`
  if (secret === undefined) {
    invalidOption(
      'jwks.storeSecret',
      `is required with "jwks.store": ${right}, because whoever can write to the store could otherwise add keys`,
    )
  }
  const bytes = typeof secret === 'string' || secret instanceof Uint8Array ? Buffer.from(secret) : undefined
  if (!bytes || bytes.length < minSecret) invalidOption('jwks.storeSecret', `must be ${right}`)
  return Object.freeze({ store: store as JwksStore, secret: bytes })
}
