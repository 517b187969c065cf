/** How a received identifier (an `iss` or an `aud`) differs from a configured one that is similar. */
export interface IdentifierDiff {
  readonly received: string
  readonly configured: string
  readonly differences: readonly string[]
  /** The host or the path differs, so it is more than a matter of spelling. */
  readonly isElsewhere: boolean
}

/** The parts that are compared, with their names in the log. */
const parts = {
  space: 'white space around it',
  scheme: 'its scheme',
  host: 'its host or port',
  loopback: 'the name of the loopback host (localhost, 127.0.0.1 and [::1] are different names)',
  port: 'the default port',
  path: 'its path',
  slashes: 'the slash at its end',
  capitals: 'upper and lower case',
}

type Part = keyof typeof parts

const defaultPorts: Readonly<Record<string, string>> = { 'https://': ':443', 'http://': ':80' }

/** Longer identifiers are not compared. */
const maxLength = 200
/** Maximum number of received identifiers that are compared. */
const maxReceived = 10
/** Maximum number of configured identifiers that each of them is compared with. */
const maxConfigured = 100

/** Maximum number of characters of a received text in a log line. */
const maxShown = 100

/** The beginning of a text for a log line. Undefined if it has a character that could mislead a reader of the log. */
export function printable(text: unknown): string | undefined {
  return typeof text === 'string' && /^[\x20-\x7e]+$/.test(text) ? text.slice(0, maxShown) : undefined
}

/** The configured identifier that is most similar to one of the received ones. */
export function findSimilar(
  received: readonly unknown[],
  configured: readonly string[],
): IdentifierDiff | undefined {
  const compared = configured.slice(0, maxConfigured)
  const diffs = received
    .slice(0, maxReceived)
    .filter((text) => typeof text === 'string' && text.length <= maxLength)
    .flatMap((text) => compared.flatMap((each) => diffIdentifiers(text as string, each) ?? []))
  return diffs.find(({ isElsewhere }) => !isElsewhere) ?? diffs[0]
}

/** Compares two identifiers. Undefined unless they have the same host, or the same path other than `/`. */
export function diffIdentifiers(received: string, configured: string): IdentifierDiff | undefined {
  const [ofReceived, ofConfigured] = [partsOf(received), partsOf(configured)]
  const differs = (part: Part): boolean => ofReceived[part] !== ofConfigured[part]
  if (differs('host') && (differs('path') || ofConfigured.path === '')) return undefined
  const isElsewhere = differs('host') || differs('path')
  const different = (Object.keys(parts) as Part[]).filter(differs)
  const relevant = different.filter(
    // Other words have other capitals, and another host has another name.
    (part) => !(part === 'capitals' && isElsewhere) && !(part === 'loopback' && differs('host')),
  )
  return { received, configured, isElsewhere, differences: relevant.map((part) => parts[part]) }
}

function partsOf(identifier: string): Record<Part, string> {
  const trimmed = identifier.trim()
  const [, scheme = '', authority = '', rest = ''] = /^([a-z][a-z\d+.-]*:\/\/)?([^/]*)(.*)$/is.exec(trimmed)!
  const defaultPort = defaultPorts[scheme.toLowerCase()] ?? ':80'
  const port = authority.endsWith(defaultPort) ? defaultPort : ''
  const host = authority.slice(0, authority.length - port.length).toLowerCase()
  const [loopback = ''] = /^(localhost|127\.0\.0\.1|\[::1\])(?=:\d+$|$)/.exec(host) ?? []
  let end = rest.length
  while (rest[end - 1] === '/') end -= 1
  const path = rest.slice(0, end)
  return {
    space: identifier === trimmed ? '' : 'some',
    scheme: scheme.toLowerCase(),
    host: loopback === '' ? host : `localhost${host.slice(loopback.length)}`,
    loopback,
    port,
    path: path.toLowerCase(),
    slashes: rest.slice(path.length),
    capitals: trimmed.replaceAll(/[^A-Z]/g, ''),
  }
}
