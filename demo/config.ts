import env from '@fastify/env'
import Fastify from 'fastify'

/** Plugin options for the issuer that the user configured. */
export type ConfiguredIssuer = { audience: string } & (
  { issuer: string } | { domain: string; secret?: Uint8Array }
)

export interface Config {
  /** Default: 8000, or any free port if 8000 is taken. */
  port?: number | undefined
  /** Default: 8001. With the embedded issuer it is any free port if 8001 is taken. */
  pagePort?: number | undefined
  /** The port of the embedded issuer. Default: 8002, or any free port if 8002 is taken. */
  issuerPort?: number | undefined
  /** The origins that may call the API from a browser. Default: every origin. */
  origins?: string[] | undefined
  /** Default: the embedded issuer. */
  issuer?: ConfiguredIssuer | undefined
  /** The client ID of the page at the user's Auth0 tenant. */
  spaClientId?: string | undefined
}

/** A problem that the user can fix. The message is one line and is printed without a stack trace. */
export class ConfigError extends Error {}

const names = [
  'ISSUER',
  'AUDIENCE',
  'AUTH0_DOMAIN',
  'API_ID',
  'AUTH0_AUDIENCE',
  'AUTH0_CLIENT_ID',
  'AUTH0_CLIENT_SECRET',
  'AUTH0_SPA_CLIENT_ID',
] as const

/** Three names for one value: the one of this demo, and those of the two quickstarts. */
const audienceNames = ['AUDIENCE', 'AUTH0_AUDIENCE', 'API_ID'] as const

type Name = (typeof names)[number]
type Variables = Partial<Record<Name, string>>

const port = { anyOf: [{ type: 'integer', minimum: 0, maximum: 65_535 }, { const: '' }] }
const schema = {
  type: 'object',
  properties: {
    PORT: port,
    PAGE_PORT: port,
    ISSUER_PORT: port,
    CORS_ORIGIN: { type: 'string' },
    ...Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  },
}

/** Reads `.env` in the working directory and the environment, which takes precedence. */
export async function readConfig(environment: NodeJS.ProcessEnv): Promise<Config> {
  const reader = Fastify()
  try {
    // `env: false` because the environment is passed as `data`, without its empty variables. An empty variable
    // would otherwise override the value in .env.
    await reader.register(env, { schema, dotenv: true, env: false, data: withoutEmpty(environment) })
  } catch (error) {
    throw new ConfigError(explain(error), { cause: error })
  }
  const { PORT, PAGE_PORT, ISSUER_PORT, CORS_ORIGIN, ...variables } = withoutEmpty(
    reader.getEnvs<Variables & Settings>(),
  )
  return {
    port: PORT,
    pagePort: PAGE_PORT,
    issuerPort: ISSUER_PORT,
    origins: CORS_ORIGIN === undefined ? undefined : parseOrigins(CORS_ORIGIN),
    issuer: configuredIssuer(variables),
    spaClientId: variables.AUTH0_SPA_CLIENT_ID,
  }
}

interface Settings {
  PORT?: number
  PAGE_PORT?: number
  ISSUER_PORT?: number
  CORS_ORIGIN?: string
}

/** Returns undefined for `*`, which means every origin like the default. */
function parseOrigins(list: string): string[] | undefined {
  if (list.trim() === '*') return undefined
  return list.split(',').map((entry) => {
    const origin = entry.trim()
    // Browsers send an origin in exactly this form. One with a trailing slash would never match.
    if (URL.canParse(origin) && new URL(origin).origin === origin) return origin
    throw new ConfigError(
      'CORS_ORIGIN must be * or a comma-separated list of origins like https://app.example.com (no trailing slash).',
    )
  })
}

function configuredIssuer(variables: Variables): ConfiguredIssuer | undefined {
  const { ISSUER, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET } = variables
  if (Object.keys(variables).length === 0) return undefined

  const audiences = audienceNames.filter((name) => variables[name])
  if (new Set(audiences.map((name) => variables[name])).size > 1) {
    throw new ConfigError(
      `${audiences.join(' and ')} are names for the same value, but they differ. Set only one of them.`,
    )
  }
  if (ISSUER) {
    const [issuer, audience] = requireOnly(variables, ['ISSUER'], audienceNames)
    return { issuer, audience }
  }
  if (AUTH0_CLIENT_ID || AUTH0_CLIENT_SECRET) {
    const required = [['AUTH0_CLIENT_ID'], ['AUTH0_CLIENT_SECRET'], ['AUTH0_DOMAIN']] as const
    const [audience, secret, domain] = requireOnly(variables, ...required)
    return { domain, audience, secret: decodeSecret(secret) }
  }
  const { AUTH0_SPA_CLIENT_ID: spa, ...tenant } = variables
  if (spa && !tenant.AUTH0_DOMAIN)
    throw new ConfigError('AUTH0_SPA_CLIENT_ID is set, but AUTH0_DOMAIN is missing.')
  const [domain, audience] = requireOnly(tenant, ['AUTH0_DOMAIN', 'ISSUER'], audienceNames)
  return { domain, audience }
}

type Values<Required> = { [Index in keyof Required]: string }

/**
 * Returns the value of each required variable, which may have several names. Throws if one is missing or if any other
 * variable is set.
 */
function requireOnly<const Required extends readonly (readonly Name[])[]>(
  variables: Variables,
  ...required: Required
): Values<Required> {
  const valueOf = (aliases: readonly Name[]) => aliases.map((name) => variables[name]).find(Boolean)
  const known: readonly Name[] = required.flat()
  const present = known.find((name) => variables[name])
  const conflicting = names.filter((name) => variables[name] && !known.includes(name))
  const missing = required
    .filter((aliases) => !valueOf(aliases))
    .map(([name, ...aliases]) => (aliases.length > 0 ? `${name} (or ${aliases.join(' or ')})` : name))

  const problems: string[] = []
  if (missing.length > 0) {
    const verb = missing.length > 1 ? 'are' : 'is'
    problems.push(`${present} is set, but ${missing.join(' and ')} ${verb} missing.`)
  }
  if (conflicting.length > 0) problems.push(`${present} can't be combined with ${conflicting.join(' or ')}.`)
  if (problems.length > 0) throw new ConfigError(problems.join(' '))

  return required.map(valueOf) as Values<Required>
}

function decodeSecret(secret: string): Uint8Array {
  // Buffer skips characters that are not base64url, so a malformed secret would silently become another one.
  if (!/^[\w+/-]+={0,2}$/.test(secret))
    throw new ConfigError('AUTH0_CLIENT_SECRET must be encoded as base64url.')
  return Buffer.from(secret, 'base64url')
}

function withoutEmpty<T extends object>(variables: T): T {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== '')) as T
}

function explain(error: unknown): string {
  // The schema accepts any string, so an invalid port is the only error that it can report.
  if (error instanceof Error && 'errors' in error) {
    const [name] = /\b(?:PAGE_|ISSUER_)?PORT\b/.exec(error.message) ?? ['PORT']
    return `${name} must be a whole number from 0 to 65535.`
  }
  return `.env can't be read: ${error instanceof Error ? error.message : String(error)}`
}
