/** What an `iss` and a configured issuer differ in, of two that are alike. */
export interface NearMiss {
  readonly issuer: string
  readonly differences: readonly string[]
  /** On another host or under another path, which is more than a matter of spelling. */
  readonly isElsewhere: boolean
}

/** What two issuers can differ in. */
const aspects = {
  space: 'white space around it',
  scheme: 'its scheme',
  host: 'its host or port',
  port: 'the default port',
  path: 'its path',
  slashes: 'the slash at its end',
  capitals: 'upper and lower case',
}

type Aspect = keyof typeof aspects

/** What an `iss` and an issuer differ in, where they are alike: they share a host, or a path that says something. */
export function nearMiss(iss: string, issuer: string): NearMiss | undefined {
  const [came, configured] = [aspectsOf(iss), aspectsOf(issuer)]
  const differs = (aspect: Aspect): boolean => came[aspect] !== configured[aspect]
  if (differs('host') && (differs('path') || configured.path === '')) return undefined
  const isElsewhere = differs('host') || differs('path')
  const names = (Object.keys(aspects) as Aspect[]).filter(differs)
  // In other words there are other capitals.
  const telling = isElsewhere ? names.filter((name) => name !== 'capitals') : names
  return { issuer, isElsewhere, differences: telling.map((name) => aspects[name]) }
}

function aspectsOf(issuer: string): Record<Aspect, string> {
  const trimmed = issuer.trim()
  const [, scheme = '', authority = '', rest = ''] = /^(https?:\/\/)?([^/]*)(.*)$/is.exec(trimmed)!
  const usualPort = scheme.toLowerCase() === 'https://' ? ':443' : ':80'
  const port = authority.endsWith(usualPort) ? usualPort : ''
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
