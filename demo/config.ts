import env from '@fastify/env'
import Fastify from 'fastify'

/** The plugin's options for an issuer of the user's own. */
export type OwnIssuer = { audience: string } & ({ issuer: string } | { domain: string; secret?: Uint8Array })

export interface Config {
  port: number
  /** Undefined where none is given: 8001 is meant, where it is free. */
  pagePort: number | undefined
  /** Undefined where none are given: every origin may call the API. */
  origins: string[] | undefined
  /** Undefined where nothing is configured: the embedded issuer is meant. */
  own: OwnIssuer | undefined
  /** The page's client at a tenant of the user's own. */
  spaClientId: string | undefined
}

/** Something the user can put right; the message is one line and says all there is to say. */
export class ConfigError extends Error {}

const names = [
  'ISSUER',
  'AUTH0_DOMAIN',
  'API_ID',
  'AUTH0_AUDIENCE',
  'AUTH0_CLIENT_ID',
  'AUTH0_CLIENT_SECRET',
  'AUTH0_SPA_CLIENT_ID',
] as const

type Name = (typeof names)[number]
type Variables = Partial<Record<Name, string>>

const port = { anyOf: [{ type: 'integer', minimum: 0, maximum: 65_535 }, { const: '' }] }
const schema = {
  type: 'object',
  properties: {
    PORT: port,
    PAGE_PORT: port,
    CORS_ORIGIN: { type: 'string' },
    ...Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  },
}

/** Reads `.env` in the working directory, then the environment, which wins. */
export async function readConfig(environment: NodeJS.ProcessEnv): Promise<Config> {
  const reader = Fastify()
  try {
    // `env: false`: the environment comes as data, so that an empty variable can't hide what .env says.
    await reader.register(env, { schema, dotenv: true, env: false, data: filled(environment) })
  } catch (error) {
    throw new ConfigError(explain(error), { cause: error })
  }
  const { PORT, PAGE_PORT, CORS_ORIGIN, ...variables } = filled(reader.getEnvs<Variables & Settings>())
  return {
    port: PORT ?? 8000,
    pagePort: PAGE_PORT,
    origins: CORS_ORIGIN === undefined ? undefined : originsOf(CORS_ORIGIN),
    own: ownIssuer(variables),
    spaClientId: variables.AUTH0_SPA_CLIENT_ID,
  }
}

interface Settings {
  PORT?: number
  PAGE_PORT?: number
  CORS_ORIGIN?: string
}

/** `*` is every origin, as without the variable. */
function originsOf(list: string): string[] | undefined {
  if (list.trim() === '*') return undefined
  return list.split(',').map((entry) => {
    const origin = entry.trim()
    // A browser sends exactly this form, and one that differs by a slash would never match.
    if (URL.canParse(origin) && new URL(origin).origin === origin) return origin
    throw new ConfigError('CORS_ORIGIN must be origins like https://app.example.com, with commas between.')
  })
}

function ownIssuer(variables: Variables): OwnIssuer | undefined {
  const { ISSUER, API_ID, AUTH0_AUDIENCE, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET } = variables
  if (Object.keys(variables).length === 0) return undefined

  if (API_ID && AUTH0_AUDIENCE && API_ID !== AUTH0_AUDIENCE) {
    throw new ConfigError(
      'API_ID and AUTH0_AUDIENCE are two names of one value, but differ: set one of them.',
    )
  }
  if (ISSUER) {
    const [issuer, audience] = demand(variables, ['ISSUER'], ['AUTH0_AUDIENCE', 'API_ID'])
    return { issuer, audience }
  }
  if (AUTH0_CLIENT_ID || AUTH0_CLIENT_SECRET) {
    const needs = [['AUTH0_CLIENT_ID'], ['AUTH0_CLIENT_SECRET'], ['AUTH0_DOMAIN']] as const
    const [audience, secret, domain] = demand(variables, ...needs)
    return { domain, audience, secret: decode(secret) }
  }
  const { AUTH0_SPA_CLIENT_ID: spa, ...tenant } = variables
  if (spa && !tenant.AUTH0_DOMAIN)
    throw new ConfigError('AUTH0_SPA_CLIENT_ID is set, but AUTH0_DOMAIN is missing.')
  const [domain, audience] = demand(tenant, ['AUTH0_DOMAIN', 'ISSUER'], ['API_ID', 'AUTH0_AUDIENCE'])
  return { domain, audience }
}

type Values<Needs> = { [Index in keyof Needs]: string }

/** The value of each need, which is a list of names that it may have; nothing else may be set beside them. */
function demand<const Needs extends readonly (readonly Name[])[]>(
  variables: Variables,
  ...needs: Needs
): Values<Needs> {
  const valueOf = (need: readonly Name[]) => need.map((name) => variables[name]).find(Boolean)
  const known: readonly Name[] = needs.flat()
  const lead = known.find((name) => variables[name])
  const surplus = names.filter((name) => variables[name] && !known.includes(name))
  const missing = needs
    .filter((need) => !valueOf(need))
    .map(([name, other]) => (other ? `${name} (or ${other})` : name))

  const faults: string[] = []
  if (missing.length > 0) faults.push(`${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`)
  if (surplus.length > 0) faults.push(`${surplus.join(' and ')} can't be set beside it`)
  if (faults.length > 0) throw new ConfigError(`${lead} is set, but ${faults.join(', and ')}.`)

  return needs.map(valueOf) as Values<Needs>
}

function decode(secret: string): Uint8Array {
  // Buffer skips what it can't decode, and would make another secret of a wrong one without a word.
  if (!/^[\w+/-]+={0,2}$/.test(secret)) throw new ConfigError('AUTH0_CLIENT_SECRET is not base64url.')
  return Buffer.from(secret, 'base64url')
}

function filled<T extends object>(variables: T): T {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== '')) as T
}

function explain(error: unknown): string {
  // The schema lets every text pass, so that a number out of range is all it can find.
  if (error instanceof Error && 'errors' in error) {
    const name = error.message.includes('PAGE_PORT') ? 'PAGE_PORT' : 'PORT'
    return `${name} must be a whole number from 0 to 65535.`
  }
  return `.env can't be read: ${error instanceof Error ? error.message : String(error)}`
}
