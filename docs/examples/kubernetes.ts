import { readFileSync } from 'node:fs'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate } from 'fastify-jwks-auth'
import { Agent } from 'undici'

export async function build(
  directory = '/var/run/secrets/kubernetes.io/serviceaccount',
  apiServer = 'https://kubernetes.default.svc',
): Promise<FastifyInstance> {
  const app = Fastify()
  // #region app
  const agent = new Agent({ connect: { ca: readFileSync(`${directory}/ca.crt`) } })
  // The API server requires a service account's token. The kubelet renews it, so it is read for each fetch.
  const asPod = agent.compose((dispatch) => (options, handler) => {
    const token = readFileSync(`${directory}/token`, 'utf8').trim()
    const headers = { ...(options.headers as Record<string, string>), authorization: `Bearer ${token}` }
    return dispatch({ ...options, headers }, handler)
  })
  app.register(jwksAuth, {
    issuer: 'https://kubernetes.default.svc.cluster.local',
    jwksUri: `${apiServer}/openid/v1/jwks`,
    audience: 'orders',
    claims: { sub: ['system:serviceaccount:shop:checkout'] },
    jwks: { dispatcher: asPod },
  })
  app.addHook('onClose', () => agent.close())
  app.get('/orders', { onRequest: authenticate }, async (request) => request.user.sub)
  // #endregion
  return app
}
