import { randomUUID } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import type { KoaContextWithOIDC } from 'oidc-provider'

interface ExpiredTokenOptions {
  issuer: string
  audience: string
  scope: string
  clientId: string
  kid: string
  key: KeyObject
}

/**
 * Serves access tokens that are signed with the issuer's key and expired an hour ago. With one, the page can show the
 * response to an expired token at once. The endpoint needs no authentication, because these tokens are never valid.
 *
 * @param page - The origin of the page, which may read the response.
 */
export function serveExpiredTokens(page: string, options: ExpiredTokenOptions) {
  return async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    if (ctx.path !== '/expired-token') return next()
    const now = Math.floor(Date.now() / 1000)
    ctx.set('Access-Control-Allow-Origin', page)
    ctx.set('Cache-Control', 'no-store')
    ctx.body = await new SignJWT({ scope: options.scope, client_id: options.clientId })
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: options.kid })
      .setJti(randomUUID())
      .setSubject('expired')
      .setIssuer(options.issuer)
      .setAudience(options.audience)
      .setIssuedAt(now - 3900)
      .setExpirationTime(now - 3600)
      .sign(options.key)
  }
}
