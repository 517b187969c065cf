import env from '@fastify/env'
import Fastify from 'fastify'

/** The plugin's options for an issuer of the user's own. */
export type OwnIssuer = { audience: string } & ({ issuer: string } | { domain: string; secret?: Uint8Array })

export interface Config {
  port: number
  /** Undefined where nothing is configured: the embedded issuer is meant. */
  own: OwnIssuer | undefined
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
] as const

type Name = (typeof names)[number]
type Variables = Partial<Record<Name, string>>

const schema = {
  type: 'object',
  properties: {
    PORT: { anyOf: [{ type: 'integer', minimum: 0, maximum: 65_535 }, { const: '' }] },
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
  const { PORT, ...variables } = filled(reader.getEnvs<Variables & { PORT?: number }>())
  return { port: PORT ?? 8000, own: ownIssuer(variables) }
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
  const [domain, audience] = demand(variables, ['AUTH0_DOMAIN', 'ISSUER'], ['API_ID', 'AUTH0_AUDIENCE'])
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
  if (error instanceof Error && 'errors' in error) return 'PORT must be a whole number from 0 to 65535.'
  return `.env can't be read: ${error instanceof Error ? error.message : String(error)}`
}
