/**
 * Whether a URI names the target of a request (RFC 9449 section 4.3). Query and fragment are ignored.
 *
 * @param baseUrls - The URLs of the server's root as clients see it, without a slash at the end.
 * @param originalUrl - The request target as the client sent it.
 */
export function isTargetUri(uri: string, baseUrls: readonly string[], originalUrl: string): boolean {
  const path = pathOf(originalUrl)
  if (path === undefined) return false
  const claimed = withoutQuery(uri)
  const targets = baseUrls.map((baseUrl) => baseUrl + path)
  // Most clients write the URI as the server does.
  if (targets.includes(claimed)) return true
  const normalized = normalize(claimed)
  return normalized !== undefined && targets.some((target) => normalize(target) === normalized)
}

/**
 * The path of a request target. A target may also be a whole URI (RFC 9112 section 3.2.2), which Fastify routes by its path. Its host
 * is as worthless as the Host header.
 */
function pathOf(originalUrl: string): string | undefined {
  const target = originalUrl.replace(/^https?:\/\/[^/?#]*/i, '')
  // Older routers of Fastify 5 take what follows the first slash, in a query as well, for the path.
  if (/^(?:[?#][^/]*)?$/.test(target)) return '/'
  const path = withoutQuery(target)
  // Fastify's router knows no dot segments, so it would call another handler than the one of the normalized path.
  return path.startsWith('/') && !/\/(?:\.|%2e){1,2}(?:\/|$)/i.test(path) ? path : undefined
}

function withoutQuery(uri: string): string {
  return uri.replace(/[?#].*$/s, '')
}

/**
 * Normalizes by syntax and by scheme (RFC 3986 sections 6.2.2 and 6.2.3). `URL` does that except for the encoding of characters that
 * need none. It accepts much that is no URI, which is refused here.
 */
function normalize(uri: string): string | undefined {
  if (!/^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i.test(uri) || !URL.canParse(uri)) return undefined
  const { origin, pathname, username, password } = new URL(uri)
  if (username !== '' || password !== '') return undefined
  return origin + pathname.replaceAll(/%[\da-f]{2}/gi, decodeUnreserved)
}

/** RFC 3986 section 6.2.2.2. */
function decodeUnreserved(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
  return /[\w.~-]/.test(character) ? character : encoded.toUpperCase()
}
