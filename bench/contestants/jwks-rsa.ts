import { expressjwt } from 'express-jwt'
import jwksRsa, { type ExpressJwtOptions } from 'jwks-rsa'
import type { Contestant } from '../contestant.ts'
import { startExpress } from './express.ts'

function recipe(options: Partial<ExpressJwtOptions>): Contestant {
  return {
    start: ({ issuer, jwksUri, audience }) =>
      startExpress(
        expressjwt({
          secret: jwksRsa.expressJwtSecret({ jwksUri, ...options }),
          audience,
          issuer,
          algorithms: ['RS256', 'ES256'],
        }),
      ),
  }
}

/** As in its README's example for Express. */
export const plain: Contestant = recipe({ cache: true, rateLimit: true, jwksRequestsPerMinute: 5 })
/** With its defaults: a cache and no rate limit. */
export const unlimited: Contestant = recipe({})
