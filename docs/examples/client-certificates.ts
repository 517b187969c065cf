import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type IssuerOptions } from 'fastify-jwks-auth'

/** The first member `Cert` of Envoy's `x-forwarded-client-cert`, which is URL-encoded PEM. */
// #region envoy
const certificateOfEnvoy = (header: string): string | undefined => {
  const [, pem] = /(?:^|;)Cert="([^"]+)"/.exec(header) ?? []
  return pem && decodeURIComponent(pem)
}
// #endregion

/** The first certificate in Traefik's `x-forwarded-tls-client-cert`, which is DER in base64, escaped by some versions. */
// #region traefik
const certificateOfTraefik = (header: string): Uint8Array =>
  Buffer.from(decodeURIComponent(header.split(',')[0]!), 'base64')
// #endregion

const proxies = {
  envoy: { header: 'x-forwarded-client-cert', read: certificateOfEnvoy },
  traefik: { header: 'x-forwarded-tls-client-cert', read: certificateOfTraefik },
}

export async function build(issuer: IssuerOptions, proxy: keyof typeof proxies): Promise<FastifyInstance> {
  const app = Fastify()
  const { header, read } = proxies[proxy]
  // #region app
  app.register(jwksAuth, {
    ...issuer,
    mtls: {
      getCertificate: ({ headers }) => {
        const value = headers[header]
        return typeof value === 'string' ? read(value) : undefined
      },
    },
  })
  app.get('/me', { onRequest: authenticate }, async (request) => request.user.sub)
  // #endregion
  return app
}
