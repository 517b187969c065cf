/**
 * Whether keys may be fetched from here: over https, or from this machine itself (`localhost`, 127.0.0.0/8,
 * `::1`), since whoever can change the answer on its way can put in a key of their own.
 */
export function isTrustworthy(url: URL, allowInsecure: boolean): boolean {
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && (allowInsecure || isLoopback(url.hostname))
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}
