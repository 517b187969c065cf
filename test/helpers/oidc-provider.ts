import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'
import { createTestKey } from '../../lib/testing/index.ts'

export const audience = 'https://api.example.com'
/** The header in which the provider finds a client certificate, as behind a proxy. */
export const certificateHeader = 'client-certificate'

/** Starts oidc-provider with DPoP, which requires nonces, and with certificate-bound tokens. Its access tokens are JWTs. */
export async function startProvider(): Promise<{ issuer: string; close: () => Promise<void> }> {
  const server: Server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { jwk, privateKey } = createTestKey()
  const client = {
    client_secret: 'a secret of the client',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256' as const,
  }
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...jwk, ...privateKey.export({ format: 'jwk' }) }] },
    clients: [
      { ...client, client_id: 'dpop', dpop_bound_access_tokens: true },
      { ...client, client_id: 'mtls', tls_client_certificate_bound_access_tokens: true },
      { ...client, client_id: 'bearer' },
    ],
    cookies: { keys: [randomBytes(32).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => decodeURIComponent(ctx.get(certificateHeader)) || undefined,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope: '',
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  })
  server.on('request', provider.callback())
  return {
    issuer,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
