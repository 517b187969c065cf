import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, diagnostics, type IssuerOptions } from 'fastify-jwks-auth'

/** A counter, such as an instrument of OpenTelemetry. */
interface Counter {
  add(value: number, attributes: { code: string; issuer: string | undefined }): void
}

export async function build(issuer: IssuerOptions): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(jwksAuth, issuer)
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #region ready
  app.get('/ready', async (_request, reply) => {
    const issuers = app.jwksStatus()
    return reply.code(issuers.some(({ state }) => state === 'unavailable') ? 503 : 200).send(issuers)
  })
  // #endregion
  return app
}

export function count(refused: Counter): void {
  // #region events
  diagnostics.tokenRefused.subscribe(({ code, issuer }) => refused.add(1, { code, issuer }))
  // #endregion
}
