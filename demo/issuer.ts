import { createPrivateKey, generateKeyPair, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import type { ClientMetadata, Configuration, JWK } from 'oidc-provider'
import { errorPage, loggedOutPage, logoutPage, signIn } from './issuer-pages.ts'
import { serveExpiredTokens } from './expired-token.ts'

export interface EmbeddedIssuer {
  /** For the plugin. */
  options: { issuer: string; audience: string }
  tokenEndpoint: string
  clientId: string
  clientSecret: string
  /** The public client of the page. */
  spaClientId: string
  close(): Promise<void>
}

const audience = 'https://api.example.com'
const scope = 'read:ping'
const hour = 3600
const spaClientId = 'demo-page'

/**
 * An OpenID provider in this process, on loopback, with keys and clients of its own that end with it. Who signs in does
 * so on the page at the origin `page`.
 */
export async function startIssuer(page?: string): Promise<EmbeddedIssuer> {
  const { default: Provider } = await quietly(() => import('oidc-provider'))
  const client = { id: 'demo', secret: randomBytes(32).toString('base64url') }
  const kid = randomBytes(8).toString('hex')
  const key = await generateKey()
  const jwk = { ...(key.export({ format: 'jwk' }) as JWK), kid, alg: 'RS256', use: 'sig' }

  // The port is part of the issuer's name, so the server listens before the provider is made.
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = await quietly(() => new Provider(issuer, configure(client, page, jwk)))
  if (page) {
    provider.use(signIn(provider, page))
    provider.use(serveExpiredTokens(page, { issuer, audience, scope, clientId: spaClientId, kid, key }))
  }
  server.on('request', provider.callback())

  return {
    options: { issuer, audience },
    tokenEndpoint: `${issuer}/token`,
    clientId: client.id,
    clientSecret: client.secret,
    spaClientId,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function configure(
  client: { id: string; secret: string },
  page: string | undefined,
  jwk: JWK,
): Configuration {
  return {
    jwks: { keys: [jwk] },
    clients: [confidential(client), ...(page ? [spa(page)] : [])],
    // A page's token is shown while it runs out, and a page can get another one at any time.
    ttl: {
      AccessToken: 300,
      ClientCredentials: hour,
      IdToken: hour,
      Interaction: hour,
      Session: hour,
      Grant: hour,
    },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clientBasedCORS: (_ctx, origin, { clientId }) => clientId === spaClientId && origin === page,
    // Any name will do, and means a user of that name.
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    loadExistingGrant: grantAll,
    renderError: errorPage,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: logoutPage,
        postLogoutSuccessSource: loggedOutPage,
      },
      resourceIndicators: {
        enabled: true,
        // A resource makes the access token a JWT; a default one spares the client from asking for it.
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope,
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
}

function confidential({ id, secret }: { id: string; secret: string }): ClientMetadata {
  return {
    client_id: id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  }
}

function spa(page: string): ClientMetadata {
  return {
    client_id: spaClientId,
    token_endpoint_auth_method: 'none',
    redirect_uris: [page],
    post_logout_redirect_uris: [page],
  }
}

/** The page belongs to the API: there is nothing to ask its user for. */
const grantAll: NonNullable<Configuration['loadExistingGrant']> = async ({ oidc }) => {
  const { client, session, provider } = oidc
  const grantId = client && session?.grantIdFor(client.clientId)
  if (grantId) return provider.Grant.find(grantId)
  const grant = new provider.Grant({ clientId: client!.clientId, accountId: session!.accountId! })
  grant.addOIDCScope('openid')
  grant.addResourceScope(audience, scope)
  await grant.save()
  return grant
}

async function generateKey(): Promise<KeyObject> {
  // By way of its PEM: Node can come to a standstill where a key that was just generated is itself made a JWK.
  const { privateKey: pem } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return createPrivateKey(pem)
}

const knownWarnings = [
  // A Node that is no LTS (yet, or any more). Whoever tries the demo need not care.
  'oidc-provider WARNING: Unsupported runtime',
  // Keeping nothing beyond the process is what the demo is meant to do.
  'oidc-provider WARNING: a quick start development-only in-memory adapter is used',
]

async function quietly<T>(action: () => T): Promise<Awaited<T>> {
  const { warn } = console
  console.warn = (...parts: unknown[]) => {
    if (!knownWarnings.some((warning) => String(parts[0]).includes(warning))) warn(...parts)
  }
  try {
    return await action()
  } finally {
    console.warn = warn
  }
}
