import { randomUUID } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import type { KoaContextWithOIDC } from 'oidc-provider'

interface TokenOf {
  issuer: string
  audience: string
  scope: string
  clientId: string
  kid: string
  key: KeyObject
}

/**
 * The issuer's own tokens, an hour late: signed with its key, and never any good. So anyone may have one, and nobody has
 * to wait for a good one to expire.
 */
export function serveExpiredTokens(page: string, of: TokenOf) {
  return async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    if (ctx.path !== '/expired-token') return next()
    const now = Math.floor(Date.now() / 1000)
    ctx.set('Access-Control-Allow-Origin', page)
    ctx.set('Cache-Control', 'no-store')
    ctx.body = await new SignJWT({ scope: of.scope, client_id: of.clientId })
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: of.kid })
      .setJti(randomUUID())
      .setSubject('late')
      .setIssuer(of.issuer)
      .setAudience(of.audience)
      .setIssuedAt(now - 3900)
      .setExpirationTime(now - 3600)
      .sign(of.key)
  }
}
