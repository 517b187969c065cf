import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { ConfigError } from './config.ts'
import type { Config, ConfiguredIssuer } from './config.ts'
import type { EmbeddedIssuer } from './issuer.ts'
import { openPage } from './page.ts'
import type { Page, PageSettings } from './page.ts'
import { defaultPorts, freePort, listenOn } from './ports.ts'
import { build } from './server.ts'

export interface Running {
  /** The URL of the API. */
  api: string
  /** The URL of the page, if there is one. */
  page: string | undefined
  issuer: EmbeddedIssuer | ConfiguredIssuer
  app: FastifyInstance
  close(): Promise<void>
}

type Closable = { close(): Promise<unknown> }

/** Starts the API, and the page and the embedded issuer if the configuration needs them. */
export async function start(
  config: Config,
  logger: FastifyServerOptions['logger'] = false,
): Promise<Running> {
  const { origins, spaClientId } = config
  const started: Closable[] = []
  const close = async () => {
    await Promise.all(started.map((part) => part.close()))
  }
  const closeLater = <T extends Closable>(part: T): T => {
    started.push(part)
    return part
  }
  try {
    // The page starts first, because the issuer and the API need its origin.
    const page = config.issuer && !spaClientId ? undefined : closeLater(await startPage(config))
    const issuer = config.issuer ?? closeLater(await startEmbedded(config, page?.origin))
    const allowed = origins && page ? [page.origin, ...origins] : origins
    const app = closeLater(await listenOn(config, 'port', (port) => startApi(port, issuer, logger, allowed)))
    const api = app.protectedResourceMetadata().resource
    page?.serve(pageSettings(api, issuer, spaClientId))
    return { api, page: page?.origin, issuer, app, close }
  } catch (error) {
    await close()
    throw error
  }
}

function pageSettings(api: string, issuer: EmbeddedIssuer | ConfiguredIssuer, clientId = ''): PageSettings {
  if ('tokenEndpoint' in issuer) {
    const { options, spaClientId } = issuer
    return {
      api,
      ...options,
      clientId: spaClientId,
      // Not read:reports, so that the page can show how the API refuses a scope that is missing.
      authorize: { scope: 'openid read:ping', resource: options.audience },
      expiredToken: `${options.issuer}/expired-token`,
      boundTokens: true,
    }
  }
  const { audience } = issuer
  // Auth0 uses `audience` instead of `resource` (RFC 8707).
  return {
    api,
    issuer: issuerIdentifier(issuer),
    audience,
    clientId,
    authorize: { scope: 'openid', audience },
  }
}

export function issuerIdentifier(issuer: ConfiguredIssuer): string {
  return 'issuer' in issuer ? issuer.issuer : `https://${issuer.domain}/`
}

async function startPage(config: Config): Promise<Page> {
  // A configured issuer knows the page by its URL, so the page needs exactly that port.
  const pagePort = config.pagePort ?? (config.issuer && defaultPorts.pagePort)
  return listenOn({ ...config, pagePort }, 'pagePort', openPage)
}

async function startEmbedded(config: Config, page: string | undefined): Promise<EmbeddedIssuer> {
  // Loaded only if needed, because oidc-provider is slow to load.
  const { startIssuer } = await import('./issuer.ts')
  return listenOn(config, 'issuerPort', (port) => startIssuer(page, port))
}

/** The metadata of the API contains its URL, so the port is chosen before the API is built. */
async function startApi(
  port: number,
  issuer: EmbeddedIssuer | ConfiguredIssuer,
  ...others: [logger: FastifyServerOptions['logger'], origins: string[] | undefined]
): Promise<FastifyInstance> {
  const chosen = port || (await freePort())
  const resource = `http://127.0.0.1:${chosen}`
  const baseUrl = [resource, `http://localhost:${chosen}`]
  const auth =
    'close' in issuer ? { ...issuer.options, dpop: { baseUrl, algorithms: ['ES256' as const] } } : issuer
  const app = await createApi({ ...auth, resource }, ...others)
  try {
    await app.listen({ port: chosen, host: '127.0.0.1' })
    return app
  } catch (error) {
    await app.close()
    throw error
  }
}

async function createApi(...args: Parameters<typeof build>): Promise<FastifyInstance> {
  try {
    return await build(...args)
  } catch (error) {
    // The plugin throws a TypeError for an invalid option.
    if (!(error instanceof TypeError)) throw error
    throw new ConfigError(`Invalid configuration: ${error.message}`, { cause: error })
  }
}
