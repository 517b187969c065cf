import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { isThenable, type MaybePromise } from '../hook.ts'
import { sha256 } from '../jwt/thumbprint.ts'
import type { MtlsSettings } from '../options/sender-constraint-options.ts'
import type { TokenRequest } from './request.ts'

/**
 * The thumbprint of the client certificate of a request (RFC 8705 section 3.1), or undefined if there is none that can be read. The
 * certificate is not parsed: the token contains the hash of its bytes.
 */
export function certificateThumbprint(
  { header, getCertificate }: MtlsSettings,
  request: TokenRequest,
): MaybePromise<string | undefined> {
  if (header !== undefined) return thumbprintOf(readHeader(request.headers[header]))
  if (!getCertificate) return thumbprintOf(certificateOfConnection(request))
  const certificate = getCertificate(request)
  return isThenable(certificate) ? Promise.resolve(certificate).then(thumbprintOf) : thumbprintOf(certificate)
}

/** @param certificate - DER, PEM as text or bytes, or an X509Certificate. */
function thumbprintOf(certificate: unknown): string | undefined {
  if (certificate instanceof X509Certificate) return sha256(certificate.raw)
  if (typeof certificate === 'string') return thumbprintOf(decodePem(certificate))
  if (!(certificate instanceof Uint8Array)) return undefined
  if (certificate[0] === startOfDer) return sha256(certificate)
  return thumbprintOf(Buffer.from(certificate).toString('latin1'))
}

/** The tag of a SEQUENCE. A text does not begin with this character, which is a digit. */
const startOfDer = 0x30

/** The client has proven in the handshake that it has the private key, whether or not a known authority issued the certificate. */
function certificateOfConnection({ raw }: TokenRequest): X509Certificate | undefined {
  return (raw.socket as Partial<TLSSocket>).getPeerX509Certificate?.()
}

/** Reads the value of a header: DER in base64 between colons (RFC 9440 section 2.1), or URL-encoded PEM. */
function readHeader(value: string | string[] | undefined): Uint8Array | undefined {
  // Node joins two values with a comma, which neither form contains.
  if (typeof value !== 'string' || value.includes(',')) return undefined
  const [, base64] = /^:([A-Za-z\d+/]+={0,2}):$/.exec(value) ?? []
  if (base64 !== undefined) return Buffer.from(base64, 'base64')
  try {
    return decodePem(decodeURIComponent(value))
  } catch {
    return undefined
  }
}

/** The first certificate of a chain in PEM (RFC 7468 section 5). */
function decodePem(text: string): Uint8Array | undefined {
  const [, base64] =
    /^\s*-----BEGIN CERTIFICATE-----([A-Za-z\d+/=\s]+)-----END CERTIFICATE-----/.exec(text) ?? []
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64')
}
