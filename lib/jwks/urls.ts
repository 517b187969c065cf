/**
 * Whether keys may be fetched from a URL: over https, or over http from this machine (`localhost`, 127.0.0.0/8, `::1`). On an
 * insecure path an attacker could replace the keys.
 *
 * @param allowInsecure - Allows http to any host.
 */
export function isTrustworthy(url: URL, allowInsecure: boolean): boolean {
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && (allowInsecure || isLoopback(url))
}

export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}
