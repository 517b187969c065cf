/** How the `iss` of a token differs from a configured issuer that is similar. */
export interface IssuerDiff {
  readonly issuer: string
  readonly differences: readonly string[]
  /** The host or the path differs, so it is more than a matter of spelling. */
  readonly isElsewhere: boolean
}

/** The parts that are compared, with their names in the log. */
const parts = {
  space: 'white space around it',
  scheme: 'its scheme',
  host: 'its host or port',
  port: 'the default port',
  path: 'its path',
  slashes: 'the slash at its end',
  capitals: 'upper and lower case',
}

type Part = keyof typeof parts

/** Maximum number of characters of an issuer in a log line. */
const maxShown = 100

/** The beginning of an issuer for a log line. Undefined if it has a character that could mislead a reader of the log. */
export function printableIssuer(issuer: string): string | undefined {
  return /^[\x20-\x7e]+$/.test(issuer) ? issuer.slice(0, maxShown) : undefined
}

/** Compares two issuers. Undefined unless they have the same host, or the same path other than `/`. */
export function diffIssuers(iss: string, issuer: string): IssuerDiff | undefined {
  const [received, configured] = [partsOf(iss), partsOf(issuer)]
  const differs = (part: Part): boolean => received[part] !== configured[part]
  if (differs('host') && (differs('path') || configured.path === '')) return undefined
  const isElsewhere = differs('host') || differs('path')
  const different = (Object.keys(parts) as Part[]).filter(differs)
  // Other words have other capitals.
  const relevant = isElsewhere ? different.filter((part) => part !== 'capitals') : different
  return { issuer, isElsewhere, differences: relevant.map((part) => parts[part]) }
}

function partsOf(issuer: string): Record<Part, string> {
  const trimmed = issuer.trim()
  const [, scheme = '', authority = '', rest = ''] = /^(https?:\/\/)?([^/]*)(.*)$/is.exec(trimmed)!
  const defaultPort = scheme.toLowerCase() === 'https://' ? ':443' : ':80'
  const port = authority.endsWith(defaultPort) ? defaultPort : ''
  let end = rest.length
  while (rest[end - 1] === '/') end -= 1
  const path = rest.slice(0, end)
  return {
    space: issuer === trimmed ? '' : 'some',
    scheme: scheme.toLowerCase(),
    host: authority.slice(0, authority.length - port.length).toLowerCase(),
    port,
    path: path.toLowerCase(),
    slashes: rest.slice(path.length),
    capitals: trimmed.replaceAll(/[^A-Z]/g, ''),
  }
}
