import type { Dispatcher } from '../fetch/dispatcher-client.ts'
import type { StoreSettings } from '../jwks/shared-jwks.ts'
import { assertBoolean, assertNames, assertRecord, invalidOption, wholeNumber } from './assert.ts'
import { readStore } from './store.ts'
import type { JwksOptions } from './types.ts'

/** The checked options of `jwks`, with defaults. Times are milliseconds. */
export interface JwksSettings {
  readonly refreshInterval: number
  readonly maxStale: number
  readonly cooldown: number
  readonly timeout: number
  readonly maxResponseSize: number
  readonly dispatcher: Dispatcher | undefined
  readonly prefetch: boolean
  /** Undefined without a store. */
  readonly store: StoreSettings | undefined
}

export const jwksNames: string[] = Object.keys({
  refreshInterval: true,
  maxStale: true,
  cooldown: true,
  timeout: true,
  maxResponseSize: true,
  dispatcher: true,
  prefetch: true,
  store: true,
  storeSecret: true,
} satisfies Record<keyof JwksOptions, true>)

/** The longest delay of Node's timers, in milliseconds. */
const maxTimeout = 2 ** 31 - 1

/** @throws {TypeError} */
export function readJwksOptions(jwks: unknown = {}): JwksSettings {
  assertRecord('jwks', jwks)
  assertNames('jwks.', jwks, jwksNames)
  const { dispatcher, prefetch } = jwks
  const number = (name: keyof JwksOptions, defaultValue: number, min: number, unit?: string): number =>
    wholeNumber(`jwks.${name}`, jwks[name] === undefined ? defaultValue : jwks[name], min, unit)
  assertBoolean('jwks.prefetch', prefetch)
  if (
    dispatcher !== undefined &&
    typeof (dispatcher as Partial<Dispatcher> | null)?.dispatch !== 'function'
  ) {
    invalidOption('jwks.dispatcher', 'must be an undici dispatcher')
  }
  const timeout = number('timeout', 5_000, 1)
  if (timeout > maxTimeout) invalidOption('jwks.timeout', `must be at most ${maxTimeout}`)
  return Object.freeze({
    refreshInterval: number('refreshInterval', 300_000, 1),
    maxStale: number('maxStale', 3_600_000, 0),
    cooldown: number('cooldown', 10_000, 0),
    timeout,
    maxResponseSize: number('maxResponseSize', 1_048_576, 1, 'bytes'),
    dispatcher: dispatcher as Dispatcher | undefined,
    prefetch: prefetch === true,
    store: readStore(jwks.store, jwks.storeSecret),
  })
}
