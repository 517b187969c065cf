import { metadataUrl, type ProtectedResourceMetadata } from '../http/resource-metadata.ts'
import { isTrustworthy } from '../jwks/urls.ts'
import { assertBoolean, assertRecord, invalidOption, list, nonEmptyString } from './assert.ts'
import { oneScope, refreshTokenScope } from './scope-options.ts'

/** This API as a protected resource (RFC 9728). */
export interface ResourceSettings {
  /** Deeply frozen. */
  readonly metadata: ProtectedResourceMetadata
  /** The scheme, host and port of the identifier. */
  readonly origin: string
  /** The path and the URL of the metadata document. */
  readonly path: string
  readonly href: string
  /** Whether the plugin serves the document. */
  readonly isServed: boolean
}

type Check = (name: string, value: unknown) => void

const eachOf =
  (check: Check): Check =>
  (name, value) =>
    void list(name, value, check)

/** The members that RFC 9728 section 2 defines. */
const checks: Readonly<Record<string, Check>> = {
  resource: assertIdentifier,
  authorization_servers: eachOf(assertUrl),
  jwks_uri: assertHttpsUrl,
  scopes_supported: eachOf(assertScope),
  bearer_methods_supported: assertBearerMethods,
  resource_signing_alg_values_supported: eachOf(assertAlgorithm),
  resource_name: nonEmptyString,
  resource_documentation: assertUrl,
  resource_policy_uri: assertUrl,
  resource_tos_uri: assertUrl,
  tls_client_certificate_bound_access_tokens: assertBoolean,
  authorization_details_types_supported: eachOf(nonEmptyString),
  dpop_signing_alg_values_supported: eachOf(assertAlgorithm),
  dpop_bound_access_tokens_required: assertBoolean,
  signed_metadata: nonEmptyString,
} satisfies Record<keyof ProtectedResourceMetadata, Check>

/** The members for people, of which there may be one in each language: `resource_name#fr` (RFC 9728 section 2.1). */
const languageTagged = ['resource_name', 'resource_documentation', 'resource_policy_uri', 'resource_tos_uri']

/**
 * Reads the options `resource` and `serveMetadata`.
 *
 * @param known - The members that the plugin adds unless the application gives them.
 */
export function readResource(
  { resource, serveMetadata }: Record<string, unknown>,
  known: Partial<ProtectedResourceMetadata>,
): ResourceSettings | undefined {
  assertBoolean('serveMetadata', serveMetadata)
  if (resource === undefined) {
    if (serveMetadata !== undefined) invalidOption('serveMetadata', 'needs the option "resource"')
    return undefined
  }
  const metadata = readMetadata(resource, known)
  return Object.freeze({ metadata, ...metadataUrl(metadata.resource), isServed: serveMetadata !== false })
}

function readMetadata(
  resource: unknown,
  known: Partial<ProtectedResourceMetadata>,
): ProtectedResourceMetadata {
  if (typeof resource === 'string') {
    assertIdentifier('resource', resource)
    return present({ resource, ...known }) as ProtectedResourceMetadata
  }
  assertRecord(
    'resource',
    resource,
    'must be the URL of this API, or its metadata with the names of RFC 9728',
  )
  const given = present(resource)
  if (given.resource === undefined) invalidOption('resource.resource', 'is required: the URL of this API')
  assertNotCyclic(resource)
  const members = Object.entries(given).map(([name, value]): [string, unknown] => {
    const [base, tag] = name.split('#') as [string, string?]
    const isKnown = Object.hasOwn(checks, base) && (tag === undefined || languageTagged.includes(base))
    if (isKnown) checks[base]!(`resource.${name}`, value)
    else if (Array.isArray(value)) list(`resource.${name}`, value, String)
    return [name, frozenJson(`resource.${name}`, value)]
  })
  const { resource: identifier, ...others } = Object.fromEntries(members)
  return present({ resource: identifier, ...known, ...others }) as ProtectedResourceMetadata
}

/** Without the members that are undefined. */
function present(members: Record<string, unknown>): Readonly<Record<string, unknown>> {
  return Object.freeze(Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)))
}

function assertIdentifier(name: string, value: unknown): void {
  const url = isHttpUrl(value) && !/[?#\\]/.test(value) ? new URL(value) : undefined
  if (!url || !isTrustworthy(url, false) || url.username || url.password) {
    invalidOption(
      name,
      'must be an https URL without query, fragment, credentials and white space (http only on loopback)',
    )
  }
}

function assertUrl(name: string, value: unknown): void {
  if (!isHttpUrl(value)) invalidOption(name, 'must be an http or https URL')
}

export function isHttpUrl(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\/\S+$/i.test(value) && URL.canParse(value)
}

function assertScope(name: string, value: unknown): void {
  if (oneScope(name, value) === refreshTokenScope) {
    invalidOption(name, `must not be ${refreshTokenScope}, which is no scope of an API`)
  }
}

function assertHttpsUrl(name: string, value: unknown): void {
  if (!isHttpUrl(value) || !isTrustworthy(new URL(value), false)) {
    invalidOption(name, 'must be an https URL (http only on loopback)')
  }
}

function assertBearerMethods(name: string, value: unknown): void {
  const methods = ['header', 'body', 'query']
  if (!Array.isArray(value) || !value.every((method) => methods.includes(method as string))) {
    invalidOption(name, `must be a list of ${methods.join(', ')}; it may be empty`)
  }
}

function assertAlgorithm(name: string, value: unknown): void {
  if (nonEmptyString(name, value) === 'none') invalidOption(name, 'must not be none (RFC 9728 section 2)')
}

function assertNotCyclic(resource: object): void {
  try {
    JSON.stringify(resource)
  } catch {
    invalidOption('resource', mustBeJson)
  }
}

const mustBeJson = 'must be JSON: strings, numbers, booleans, null, lists and plain objects'

/** A frozen copy of a JSON value. */
function frozenJson(name: string, value: unknown): unknown {
  if (value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)) return value
  if (Array.isArray(value)) {
    return Object.freeze(Array.from(value, (entry, index) => frozenJson(`${name}[${index}]`, entry)))
  }
  assertRecord(name, value, mustBeJson)
  const members = Object.entries(value).map(([key, member]) => [key, frozenJson(`${name}.${key}`, member)])
  return Object.freeze(Object.fromEntries(members))
}
