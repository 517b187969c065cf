import type { ProtectedResourceMetadata } from '../http/resource-metadata.ts'
import {
  assertBoolean,
  assertFunction,
  assertNames,
  assertRecord,
  invalidOption,
  list,
  wholeNumber,
} from './assert.ts'
import { jwksNames, readJwksOptions, type JwksSettings } from './jwks-options.ts'
import { issuerOptionNames, readIssuerOptions, type IssuerSettings } from './issuer-options.ts'
import {
  readSenderConstraintOptions,
  metadataOf,
  senderConstraintNames,
  withBaseUrl,
  type SenderConstraintSettings,
} from './sender-constraint-options.ts'
import { isHttpUrl, readResource, type ResourceSettings } from './resource.ts'
import { readScopeOptions, type ScopeSettings } from './scope-options.ts'
import type { ResolveIssuer } from './issuer-types.ts'
import type { CacheOptions, OneOrMoreIssuers, PluginOptions } from './types.ts'

/** The limits of the cache of verified tokens. */
export interface CacheSettings {
  /** Number of tokens. */
  readonly max: number
  /** Bytes in memory, estimated: tokens, headers and claims. */
  readonly maxBytes: number
}

/** The checked options of the plugin, with defaults. Callbacks are checked too, but not included. */
export interface PluginSettings extends SenderConstraintSettings {
  /** The listed issuers, or the function that resolves them. Options that the function returns are checked when it returns them. */
  readonly issuers: readonly IssuerSettings[] | ResolveIssuer
  readonly jwks: JwksSettings
  /** Undefined if verified tokens are not cached. */
  readonly cache: CacheSettings | undefined
  readonly global: boolean
  readonly scopes: ScopeSettings
  readonly decoratorName: string
  readonly realm: string
  readonly allowInsecureIssuers: boolean
  /** Undefined if the API is not described as a protected resource. */
  readonly resource: ResourceSettings | undefined
}

type Names<Options> = Record<keyof Options, true>

const pluginNames = {
  issuers: true,
  jwks: true,
  cache: true,
  realm: true,
  global: true,
  scopeClaims: true,
  impliedScopes: true,
  decoratorName: true,
  getToken: true,
  formatUser: true,
  isRevoked: true,
  dpop: true,
  mtls: true,
  allowInsecureIssuers: true,
  resource: true,
  serveMetadata: true,
} satisfies Names<PluginOptions<never, never, never> & Pick<OneOrMoreIssuers, 'issuers'>>
const cacheNames = { max: true, maxBytes: true } satisfies Names<CacheOptions>

/** The options that Fastify itself reads at registration. */
const fastifyNames = ['prefix', 'logLevel', 'logSerializers']
const nestedNames = {
  jwks: jwksNames,
  cache: Object.keys(cacheNames),
  ...senderConstraintNames,
}

/** lru-cache allocates memory for all entries at once. */
const maxTokens = 10_000_000

/**
 * Checks the options of the plugin. They are neither changed nor read again.
 *
 * @throws {TypeError} It names the option and says what is right.
 */
export function readPluginOptions(options: unknown): PluginSettings {
  assertRecord('options', options)
  assertNames(
    '',
    options,
    [...new Set([...issuerOptionNames, ...Object.keys(pluginNames), ...fastifyNames])],
    nestedNames,
  )
  const { realm = 'api', decoratorName = 'user', global, allowInsecureIssuers } = options
  const { getToken, formatUser, isRevoked } = options
  assertFunction('getToken', getToken)
  assertFunction('formatUser', formatUser)
  assertFunction('isRevoked', isRevoked)
  assertBoolean('allowInsecureIssuers', allowInsecureIssuers)
  assertBoolean('global', global)
  if (typeof decoratorName !== 'string' || decoratorName === '' || decoratorName === 'accessToken') {
    invalidOption('decoratorName', 'must be a non-empty string other than "accessToken"')
  }
  if (typeof realm !== 'string' || !/^[\x20-\x7e]+$/.test(realm)) {
    invalidOption('realm', 'must be a non-empty string of printable ASCII')
  }
  const allowInsecure = allowInsecureIssuers === true
  const issuers = readIssuers(options, allowInsecure)
  const constraints = readSenderConstraintOptions(options)
  const known = { ...knownMetadata(issuers, getToken !== undefined), ...metadataOf(constraints) }
  const resource = readResource(options, known)
  return Object.freeze({
    issuers,
    jwks: readJwksOptions(options.jwks),
    cache: readCacheOptions(options.cache),
    global: global === true,
    scopes: readScopeOptions(options.scopeClaims, options.impliedScopes),
    decoratorName,
    realm,
    allowInsecureIssuers: allowInsecure,
    ...withBaseUrl(constraints, resource?.origin),
    resource,
  })
}

/** What the plugin knows of this API as a protected resource. */
function knownMetadata(
  issuers: PluginSettings['issuers'],
  hasGetToken: boolean,
): Partial<ProtectedResourceMetadata> {
  const urls = typeof issuers === 'function' ? [] : issuers.map(({ issuer }) => issuer).filter(isHttpUrl)
  return {
    ...(urls.length > 0 && { authorization_servers: Object.freeze(urls) }),
    ...(!hasGetToken && { bearer_methods_supported: Object.freeze(['header'] as const) }),
  }
}

function readIssuers(options: Record<string, unknown>, allowInsecure: boolean): PluginSettings['issuers'] {
  const { issuers } = options
  const own = Object.entries(options).filter(([name]) => issuerOptionNames.includes(name))
  if (issuers === undefined) {
    return Object.freeze([readIssuerOptions(Object.fromEntries(own), '', allowInsecure)])
  }
  if (typeof issuers !== 'function' && !Array.isArray(issuers)) {
    invalidOption(
      'issuers',
      'must be a list of issuers or a function; the options of a single issuer may stand at the top level',
    )
  }
  // The option of the plugin that has the same name as one of an issuer is for all issuers.
  const misplaced = own.find(([name, value]) => value !== undefined && !Object.hasOwn(pluginNames, name))
  if (misplaced) {
    invalidOption(misplaced[0], 'belongs in the entries of "issuers", or in the result of that function')
  }
  if (typeof issuers === 'function') return issuers as ResolveIssuer
  const seen = new Set<string>()
  const read = (name: string, entry: unknown): IssuerSettings => {
    const settings = readIssuerOptions(entry, `${name}.`, allowInsecure)
    if (seen.has(settings.issuer)) invalidOption(name, 'names an issuer that is already in the list')
    seen.add(settings.issuer)
    return settings
  }
  return Object.freeze(list('issuers', issuers, read))
}

function readCacheOptions(cache: unknown = {}): CacheSettings | undefined {
  if (cache === false) return undefined
  assertRecord('cache', cache, 'must be { max, maxBytes } or false')
  assertNames('cache.', cache, nestedNames.cache)
  const { max = 10_000, maxBytes = 67_108_864 } = cache
  const settings = {
    max: wholeNumber('cache.max', max, 1, 'tokens'),
    maxBytes: wholeNumber('cache.maxBytes', maxBytes, 1, 'bytes'),
  }
  if (settings.max > maxTokens) invalidOption('cache.max', `must be at most ${maxTokens}`)
  return Object.freeze(settings)
}
