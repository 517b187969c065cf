import { hash } from 'node:crypto'

/** The members of a public key that its thumbprint covers, in their order (RFC 7638 section 3.2, RFC 8037 section 2). */
const requiredMembers = { EC: ['crv', 'kty', 'x', 'y'], OKP: ['crv', 'kty', 'x'], RSA: ['e', 'kty', 'n'] }

/** The SHA-256 thumbprint of a public key (RFC 7638), in base64url. Its type and members were checked. */
export function jwkThumbprint(jwk: Readonly<Record<string, unknown>>): string {
  const members = requiredMembers[jwk.kty as keyof typeof requiredMembers]
  return sha256(JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]]))))
}

/** The SHA-256 of bytes or of a text in UTF-8, in base64url. */
export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url')
}
