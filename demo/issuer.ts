import { createPrivateKey, generateKeyPair, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import type { Configuration, JWK } from 'oidc-provider'

export interface EmbeddedIssuer {
  /** For the plugin. */
  options: { issuer: string; audience: string }
  tokenEndpoint: string
  clientId: string
  clientSecret: string
  close(): Promise<void>
}

const audience = 'https://api.example.com'
const hour = 3600

/** An OpenID provider in this process, on loopback, with keys and a client of its own that end with it. */
export async function startIssuer(): Promise<EmbeddedIssuer> {
  const { Provider } = await importProvider()
  const client = { id: 'demo', secret: randomBytes(32).toString('base64url') }

  // The port is part of the issuer's name, so the server listens before the provider is made.
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, await configure(client))
  server.on('request', provider.callback())

  return {
    options: { issuer, audience },
    tokenEndpoint: `${issuer}/token`,
    clientId: client.id,
    clientSecret: client.secret,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function configure(client: { id: string; secret: string }): Promise<Configuration> {
  // By way of its PEM: Node can come to a standstill where a key that was just generated is itself made a JWK.
  const { privateKey: pem } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const privateKey = createPrivateKey(pem)
  return {
    jwks: { keys: [{ ...(privateKey.export({ format: 'jwk' }) as JWK), alg: 'RS256', use: 'sig' }] },
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
    ],
    ttl: { ClientCredentials: hour },
    adapter: keepNothing,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // A resource makes the access token a JWT; a default one spares the client from asking for it.
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope: '',
          audience,
          accessTokenTTL: hour,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
}

/** The client is configured and the tokens are JWTs, so there is nothing to store. */
function keepNothing() {
  const nothing = async () => undefined
  return {
    upsert: nothing,
    find: nothing,
    findByUserCode: nothing,
    findByUid: nothing,
    consume: nothing,
    destroy: nothing,
    revokeByGrantId: nothing,
  }
}

/** Loaded on a Node that is no LTS (yet, or any more), the provider warns; whoever tries the demo need not care. */
async function importProvider(): Promise<typeof import('oidc-provider')> {
  const { warn } = console
  console.warn = (...parts: unknown[]) => {
    if (!String(parts[0]).includes('oidc-provider WARNING: Unsupported runtime')) warn(...parts)
  }
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
  }
}
