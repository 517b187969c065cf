import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions, type JwksStore } from 'fastify-jwks-auth'

export async function build(
  issuer: IssuerOptions,
  url: string,
  storeSecret: string,
): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  const call = async (...command: string[]): Promise<string | null> => {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(command) })
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    return ((await response.json()) as { result: string | null }).result
  }
  const store: JwksStore = {
    get: (key) => call('GET', key),
    set: (key, value, ttl) => call('SET', key, value, 'PX', String(ttl)),
  }
  app.register(jwksAuth, { ...issuer, jwks: { store, storeSecret } })
  // #endregion
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  return app
}
