import { createPrivateKey, generateKeyPair, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import type { ClientMetadata, Configuration, JWK } from 'oidc-provider'
import { errorPage, issuerPages, loggedOutPage, logoutPage } from './issuer-pages.ts'
import { serveExpiredTokens } from './expired-token.ts'

export interface EmbeddedIssuer {
  /** Options of the plugin. */
  options: { issuer: string; audience: string }
  tokenEndpoint: string
  clientId: string
  clientSecret: string
  /** The public client of the page. */
  spaClientId: string
  close(): Promise<void>
}

/** An API that the issuer makes access tokens for. */
export interface Api {
  audience: string
  /** The scopes that the API knows, space-separated. */
  scope: string
}

const demoApi: Api = { audience: 'https://api.example.com', scope: 'read:ping read:reports' }
const hour = 3600
const spaClientId = 'demo-page'

/**
 * Starts an OpenID provider in this process, on loopback. Its keys and clients exist until it is closed.
 *
 * @param page - The origin of the demo's page, which gets a client and can log users in. Default: no page.
 * @param port - The port to listen on. Default: any free port.
 * @param mcpServer - An MCP server to make tokens for instead of the demo's API. Its clients register themselves.
 */
export async function startIssuer(page?: string, port = 0, mcpServer?: Api): Promise<EmbeddedIssuer> {
  const api = mcpServer ?? demoApi
  const { audience } = api
  const { default: Provider } = await withoutKnownWarnings(() => import('oidc-provider'))
  const client = { id: 'demo', secret: randomBytes(16).toString('base64url') }
  const kid = randomBytes(8).toString('hex')
  const key = await generateKey()
  const jwk = { ...(key.export({ format: 'jwk' }) as JWK), kid, alg: 'RS256', use: 'sig' }

  // The issuer identifier contains the port, so the server listens before the provider is created.
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const configuration = configure(client, page, jwk, api)
  const provider = await withoutKnownWarnings(
    () => new Provider(issuer, mcpServer ? withRegistration(configuration) : configuration),
  )
  // MCP clients return to any address of this machine, or to a page of their vendor.
  if (mcpServer) provider.use(issuerPages(provider, 'http://localhost:* http://127.0.0.1:* https:'))
  if (page) {
    provider.use(issuerPages(provider, page))
    provider.use(
      serveExpiredTokens(page, { issuer, audience, scope: 'read:ping', clientId: spaClientId, kid, key }),
    )
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
  api: Api,
): Configuration {
  const { audience, scope } = api
  return {
    jwks: { keys: [jwk] },
    clients: [confidentialClient(client), ...(page ? [pageClient(page)] : [])],
    // The page counts an access token's lifetime down and can get a new one at any time, so 5 minutes are enough.
    ttl: {
      AccessToken: 300,
      ClientCredentials: hour,
      IdToken: hour,
      Interaction: hour,
      Session: hour,
      Grant: hour,
      RefreshToken: 300,
    },
    // The page exchanges its refresh token for a token that is bound to its key.
    issueRefreshToken: async (_ctx, { clientId }) => clientId === spaClientId,
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clientBasedCORS: (_ctx, origin, { clientId }) => clientId === spaClientId && origin === page,
    // Every name is accepted as the ID of a user.
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    loadExistingGrant: grantAll(api),
    renderError: errorPage,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: logoutPage,
        postLogoutSuccessSource: loggedOutPage,
      },
      resourceIndicators: {
        enabled: true,
        // An access token for a resource is a JWT. With a default, the client need not send the `resource` parameter.
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

function confidentialClient({ id, secret }: { id: string; secret: string }): ClientMetadata {
  return {
    client_id: id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  }
}

function pageClient(page: string): ClientMetadata {
  return {
    client_id: spaClientId,
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [page],
    post_logout_redirect_uris: [page],
  }
}

/** Grants all scopes without asking the user for consent, because the page belongs to the API. */
function grantAll({ audience, scope }: Api): NonNullable<Configuration['loadExistingGrant']> {
  return async ({ oidc }) => {
    const { client, session, provider } = oidc
    const grantId = client && session?.grantIdFor(client.clientId)
    if (grantId) return provider.Grant.find(grantId)
    const grant = new provider.Grant({ clientId: client!.clientId, accountId: session!.accountId! })
    grant.addOIDCScope('openid')
    grant.addResourceScope(audience, scope)
    await grant.save()
    return grant
  }
}

/** Lets clients register themselves (RFC 7591), and call the issuer from the browser. */
function withRegistration(configuration: Configuration): Configuration {
  return {
    ...configuration,
    clientBasedCORS: () => true,
    extraClientMetadata: {
      properties: ['scope_of_registration'],
      // MCP clients register with the scope of their first request. They could not ask for more later.
      validator: (_ctx, _name, _value, metadata) => {
        delete metadata.scope
      },
    },
    features: { ...configuration.features, registration: { enabled: true } },
  }
}

async function generateKey(): Promise<KeyObject> {
  // The key is generated as PEM, because Node can hang when it exports a newly generated KeyObject as a JWK.
  const { privateKey: pem } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return createPrivateKey(pem)
}

const knownWarnings = [
  // The Node version is not an LTS version, which doesn't matter for the demo.
  'oidc-provider WARNING: Unsupported runtime',
  // The demo is meant to keep its data in memory only.
  'oidc-provider WARNING: a quick start development-only in-memory adapter is used',
]

async function withoutKnownWarnings<T>(action: () => T): Promise<Awaited<T>> {
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
