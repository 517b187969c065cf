import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { ConfigError } from './config.ts'
import type { Config, OwnIssuer } from './config.ts'
import type { EmbeddedIssuer } from './issuer.ts'
import { openPage } from './page.ts'
import type { Page, PageSettings } from './page.ts'
import { build } from './server.ts'

export interface Running {
  /** The address of the API. */
  api: string
  /** The address of the page, if there is one. */
  page: string | undefined
  issuer: EmbeddedIssuer | OwnIssuer
  app: FastifyInstance
  close(): Promise<void>
}

type Part = { close(): Promise<unknown> }

/** The API, with the page and the issuer where they belong to it. */
export async function start(
  config: Config,
  logger: FastifyServerOptions['logger'] = false,
): Promise<Running> {
  const { own, port, origins, spaClientId } = config
  const parts: Part[] = []
  const close = async () => {
    await Promise.all(parts.map((part) => part.close()))
  }
  const keep = <T extends Part>(part: T): T => {
    parts.push(part)
    return part
  }
  try {
    // First, since the issuer and the API are told its origin.
    const page = own && !spaClientId ? undefined : keep(await open(config))
    const issuer = own ?? keep(await startEmbedded(page?.origin))
    const allowed = origins && page ? [page.origin, ...origins] : origins
    const app = keep(await create('close' in issuer ? issuer.options : issuer, logger, allowed))
    const api = await taking('PORT', port, () => app.listen({ port, host: '127.0.0.1' }))
    page?.serve(settings(api, issuer, spaClientId))
    return { api, page: page?.origin, issuer, app, close }
  } catch (error) {
    await close()
    throw error
  }
}

function settings(api: string, issuer: EmbeddedIssuer | OwnIssuer, clientId = ''): PageSettings {
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
  // Auth0 has `audience` where RFC 8707 has `resource`.
  return { api, issuer: issuerOf(issuer), clientId, authorize: { scope: 'openid', audience } }
}

export function issuerOf(own: OwnIssuer): string {
  return 'issuer' in own ? own.issuer : `https://${own.domain}/`
}

async function open({ pagePort, port, own }: Config): Promise<Page> {
  if (pagePort !== undefined || own)
    return taking('PAGE_PORT', pagePort ?? 8001, () => openPage(pagePort ?? 8001))
  // Nobody asked for 8001, so it need not stop the demo where it is taken. An issuer of the user's own is another matter:
  // it knows the page by its address.
  if (port === 8001) return openPage(0)
  return openPage(8001).catch(() => openPage(0))
}

async function startEmbedded(page: string | undefined): Promise<EmbeddedIssuer> {
  // Loaded only where it is needed: nothing in the demo weighs more.
  const { startIssuer } = await import('./issuer.ts')
  return startIssuer(page)
}

async function create(...settings: Parameters<typeof build>): Promise<FastifyInstance> {
  try {
    return await build(...settings)
  } catch (error) {
    // The plugin's word for a wrong option.
    if (!(error instanceof TypeError)) throw error
    throw new ConfigError(`Wrong configuration: ${error.message}`, { cause: error })
  }
}

async function taking<T>(name: 'PORT' | 'PAGE_PORT', port: number, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'is taken' : code === 'EACCES' ? 'may not be used' : undefined
    if (!why) throw error
    throw new ConfigError(`Port ${port} ${why}: set ${name} to another one.`, { cause: error })
  }
}
