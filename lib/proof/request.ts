import type { IncomingHttpHeaders } from 'node:http'

/** The members of a Fastify request that checks may use. */
export interface TokenRequest {
  readonly method: string
  /** As the client sent it. `url` changes with `rewriteUrl`. */
  readonly originalUrl: string
  readonly headers: IncomingHttpHeaders
  readonly raw: { readonly socket: object }
}
