import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { ConfigError } from './config.ts'
import type { Config, ConfiguredIssuer } from './config.ts'
import type { EmbeddedIssuer } from './issuer.ts'
import { openPage } from './page.ts'
import type { Page, PageSettings } from './page.ts'
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
  const { port, origins, spaClientId } = config
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
    const issuer = config.issuer ?? closeLater(await startEmbedded(page?.origin))
    const allowed = origins && page ? [page.origin, ...origins] : origins
    const app = closeLater(await createApi('close' in issuer ? issuer.options : issuer, logger, allowed))
    const api = await listenOn('PORT', port, () => app.listen({ port, host: '127.0.0.1' }))
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
      issuer: options.issuer,
      clientId: spaClientId,
      authorize: { scope: 'openid read:ping', resource: options.audience },
      expiredToken: `${options.issuer}/expired-token`,
    }
  }
  const { audience } = issuer
  // Auth0 uses `audience` instead of `resource` (RFC 8707).
  return { api, issuer: issuerIdentifier(issuer), clientId, authorize: { scope: 'openid', audience } }
}

export function issuerIdentifier(issuer: ConfiguredIssuer): string {
  return 'issuer' in issuer ? issuer.issuer : `https://${issuer.domain}/`
}

async function startPage({ pagePort, port, issuer }: Config): Promise<Page> {
  if (pagePort !== undefined || issuer)
    return listenOn('PAGE_PORT', pagePort ?? 8001, () => openPage(pagePort ?? 8001))
  // 8001 is only a default here, so any other port will do if it is taken. A configured issuer needs exactly that port,
  // because it knows the page by its URL.
  if (port === 8001) return openPage(0)
  return openPage(8001).catch(() => openPage(0))
}

async function startEmbedded(page: string | undefined): Promise<EmbeddedIssuer> {
  // Loaded only if needed, because oidc-provider is slow to load.
  const { startIssuer } = await import('./issuer.ts')
  return startIssuer(page)
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

async function listenOn<T>(name: 'PORT' | 'PAGE_PORT', port: number, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason =
      code === 'EADDRINUSE' ? 'is already in use' : code === 'EACCES' ? 'needs more privileges' : undefined
    if (!reason) throw error
    throw new ConfigError(`Port ${port} ${reason}. Set ${name} to another port.`, { cause: error })
  }
}
