import { assertFlag, assertFunction, assertNames, assertRecord, list, wholeNumber, wrong } from './assert.ts'
import type { CacheSettings } from '../token-cache.ts'
import { issuerOptionNames, issuerSettings, type IssuerSettings } from './issuer-options.ts'
import type { Dispatcher } from '../jwks/fetch-json.ts'
import type { IssuerFinder } from './types.ts'

/** How keys are kept, checked and with the defaults. Times are milliseconds. */
export interface JwksSettings {
  readonly refreshInterval: number
  readonly maxStale: number
  readonly cooldown: number
  readonly timeout: number
  readonly maxResponseSize: number
  readonly dispatcher: Dispatcher | undefined
  readonly prefetch: boolean
}

/** The plugin's options, checked and with their defaults; the callbacks are checked and not in here. */
export interface Settings {
  /** Those that are known from the start, or the function that finds them, whose answers are checked as they come. */
  readonly issuers: readonly IssuerSettings[] | IssuerFinder
  readonly jwks: JwksSettings
  /** Undefined where verified tokens are not remembered. */
  readonly cache: CacheSettings | undefined
  readonly realm: string
  readonly allowInsecureIssuers: boolean
}

const ownNames = [
  'issuers',
  'jwks',
  'cache',
  'realm',
  'getToken',
  'formatUser',
  'isRevoked',
  'allowInsecureIssuers',
]
/** What Fastify itself takes at registration. */
const fastifyNames = ['prefix', 'logLevel', 'logSerializers']
const jwksNames = [
  'refreshInterval',
  'maxStale',
  'cooldown',
  'timeout',
  'maxResponseSize',
  'dispatcher',
  'prefetch',
]
const cacheNames = ['max', 'maxBytes']
/** The longest time that Node's timers know. */
const longestTimeout = 2 ** 31 - 1

/**
 * Reads the options once; they are neither changed nor looked at again.
 *
 * @throws {TypeError} that names the option and says what is right.
 */
export function readSettings(options: unknown): Settings {
  assertRecord('options', options)
  const {
    realm = 'api',
    getToken,
    formatUser,
    isRevoked,
    allowInsecureIssuers,
    jwks,
    cache,
    issuers,
    ...others
  } = options
  assertNames('', options, [...issuerOptionNames, ...ownNames, ...fastifyNames], {
    jwks: jwksNames,
    cache: cacheNames,
  })
  assertFunction('getToken', getToken)
  assertFunction('formatUser', formatUser)
  assertFunction('isRevoked', isRevoked)
  assertFlag('allowInsecureIssuers', allowInsecureIssuers)
  if (typeof realm !== 'string' || !/^[\x20-\x7e]+$/.test(realm)) {
    wrong('realm', 'must be a non-empty string of printable ASCII')
  }
  const insecure = allowInsecureIssuers === true
  return Object.freeze({
    issuers: allIssuers(issuers, others, insecure),
    jwks: jwksSettings(jwks),
    cache: cacheSettings(cache),
    realm,
    allowInsecureIssuers: insecure,
  })
}

function allIssuers(
  issuers: unknown,
  others: Record<string, unknown>,
  insecure: boolean,
): Settings['issuers'] {
  const own = Object.entries(others).filter(([name]) => issuerOptionNames.includes(name))
  if (issuers === undefined) return Object.freeze([issuerSettings(Object.fromEntries(own), '', insecure)])
  if (typeof issuers !== 'function' && !Array.isArray(issuers)) {
    wrong('issuers', 'must be a list of issuers or a function; the options of one may stand at the top level')
  }
  const misplaced = own.find(([, value]) => value !== undefined)
  if (misplaced) wrong(misplaced[0], 'belongs in the entries of "issuers", or in what that function returns')
  if (typeof issuers === 'function') return issuers as IssuerFinder
  const seen = new Set<string>()
  const read = (name: string, entry: unknown): IssuerSettings => {
    const settings = issuerSettings(entry, `${name}.`, insecure)
    if (seen.has(settings.issuer)) wrong(name, 'names an issuer that is already in the list')
    seen.add(settings.issuer)
    return settings
  }
  return Object.freeze(list('issuers', issuers, read))
}

function jwksSettings(jwks: unknown = {}): JwksSettings {
  assertRecord('jwks', jwks)
  assertNames('jwks.', jwks, jwksNames)
  const { dispatcher, prefetch } = jwks
  const number = (name: string, byDefault: number, least: number, unit?: string): number =>
    wholeNumber(`jwks.${name}`, jwks[name] === undefined ? byDefault : jwks[name], least, unit)
  assertFlag('jwks.prefetch', prefetch)
  if (
    dispatcher !== undefined &&
    typeof (dispatcher as Partial<Dispatcher> | null)?.dispatch !== 'function'
  ) {
    wrong('jwks.dispatcher', 'must be an undici dispatcher')
  }
  const timeout = number('timeout', 5_000, 1)
  if (timeout > longestTimeout) wrong('jwks.timeout', `must be at most ${longestTimeout}`)
  return Object.freeze({
    refreshInterval: number('refreshInterval', 300_000, 1),
    maxStale: number('maxStale', 3_600_000, 0),
    cooldown: number('cooldown', 10_000, 0),
    timeout,
    maxResponseSize: number('maxResponseSize', 1_048_576, 1, 'bytes'),
    dispatcher: dispatcher as Dispatcher | undefined,
    prefetch: prefetch === true,
  })
}

/** Room for the places of the tokens is made at once. */
const mostTokens = 10_000_000

function cacheSettings(cache: unknown = {}): CacheSettings | undefined {
  if (cache === false) return undefined
  if (typeof cache !== 'object' || cache === null) wrong('cache', 'must be { max, maxBytes } or false')
  assertRecord('cache', cache)
  assertNames('cache.', cache, cacheNames)
  const { max = 10_000, maxBytes = 67_108_864 } = cache
  const settings = {
    max: wholeNumber('cache.max', max, 1, 'tokens'),
    maxBytes: wholeNumber('cache.maxBytes', maxBytes, 1, 'bytes'),
  }
  if (settings.max > mostTokens) wrong('cache.max', `must be at most ${mostTokens}`)
  return Object.freeze(settings)
}
