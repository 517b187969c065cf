import { readFileSync } from 'node:fs'
import { cap, patience, shortCap, type Endurance, type Flood } from './scenarios.ts'
import { day, hour, minute, second } from './trial.ts'

/** The results of one contestant. */
export interface Measured {
  readonly cold: { fetches: number; accepted: number }
  readonly unknownKids: { fetches: number; accepted: number }
  /** Milliseconds; undefined if it took too long. */
  readonly afterUnknownKid: number | undefined
  readonly newKeys: Flood
  readonly earlyTokens: Flood
  readonly removedKey: Endurance
  readonly replacedKey: Endurance
  readonly outage: Endurance
  readonly down: { status: number | undefined; milliseconds: number }
  readonly hangs: { status: number | undefined; milliseconds: number }
}

interface Row {
  readonly label: string
  /** Packages whose versions are listed. */
  readonly packages: readonly string[]
}

/** The contestants, and their names in the table. */
export const rows: Readonly<Record<string, Row>> = {
  'fastify-jwks-auth': { label: '**fastify-jwks-auth**', packages: [] },
  'get-jwks': { label: 'get-jwks + @fastify/jwt', packages: ['get-jwks', '@fastify/jwt'] },
  'fastify-jwt-jwks': { label: 'fastify-jwt-jwks', packages: ['fastify-jwt-jwks'] },
  jose: { label: 'jose', packages: ['jose'] },
  'jwks-rsa': { label: 'jwks-rsa + express-jwt, limited', packages: ['jwks-rsa', 'express-jwt'] },
  'jwks-rsa, no limit': { label: 'jwks-rsa + express-jwt', packages: [] },
  'express-oauth2-jwt-bearer': {
    label: 'express-oauth2-jwt-bearer',
    packages: ['express-oauth2-jwt-bearer'],
  },
  'aws-jwt-verify': { label: 'aws-jwt-verify', packages: ['aws-jwt-verify'] },
}

type Column = readonly [title: string, cell: (measured: Measured) => string]

const columns: readonly Column[] = [
  ['Fetches for 100 first requests at once', ({ cold }) => withAccepted(cold.fetches, cold.accepted)],
  [
    'Fetches for 1,000 unknown kids, good tokens accepted',
    ({ unknownKids }) => `${unknownKids.fetches}, ${unknownKids.accepted} %`,
  ],
  ['A new key works after an unknown kid', ({ afterUnknownKid }) => waiting(afterUnknownKid)],
  ['Fetches per minute of a lasting flood', ({ newKeys }) => String(newKeys.fetchesPerMinute)],
  ['A new key works in that flood', ({ newKeys }) => waiting(newKeys.longest)],
  ['… and where its token came first', ({ earlyTokens }) => waiting(earlyTokens.longest)],
  ['A removed key is refused', ({ removedKey }) => refusal(removedKey, cap)],
  ['… and where a new key replaces it', ({ replacedKey }) => refusal(replacedKey, shortCap)],
  ['Known keys without the issuer', ({ outage }) => ending(outage)],
  ['Issuer down, no key known', ({ down }) => String(down.status)],
  ['Issuer hangs, no key known', ({ hangs }) => answer(hangs)],
]

/** The table, and the versions that were measured, as Markdown. */
export function render(results: ReadonlyMap<string, Measured>): string {
  const lines = [
    ['', ...columns.map(([title]) => title)],
    ['---', ...columns.map(() => '---')],
    ...Object.entries(rows)
      .filter(([name]) => results.has(name))
      .map(([name, { label }]) => [label, ...columns.map(([, cell]) => cell(results.get(name)!))]),
  ]
  const table = lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  return `${table}\n\nMeasured on ${new Date().toISOString().slice(0, 10)} with Node ${process.versions.node} and ${versions().join(', ')}.`
}

function versions(): string[] {
  const packages = Object.values(rows).flatMap((row) => row.packages)
  return ['fastify', ...packages, 'express'].map((name) => `${name} ${versionOf(name)}`)
}

/** The version that is installed for the benchmark, or else for the project. */
function versionOf(name: string): string {
  const manifest = ['../..', '../../..']
    .map((path) => new URL(`${path}/node_modules/${name}/package.json`, import.meta.url))
    .map((url) => {
      try {
        return readFileSync(url, 'utf8')
      } catch {
        return undefined
      }
    })
    .find((text) => text !== undefined)
  return (JSON.parse(manifest!) as { version: string }).version
}

function withAccepted(fetches: number, accepted: number): string {
  return accepted === 100 ? String(fetches) : `${fetches}, ${100 - accepted} refused`
}

function waiting(longest: number | undefined): string {
  if (longest === undefined) return `not in ${duration(patience)}`
  return longest < second ? 'at once' : `after ${duration(longest)}`
}

function refusal({ until }: Endurance, limit: number): string {
  if (until === undefined) return `not in ${duration(limit)}`
  return until <= second ? 'at once' : `after ${duration(until)}`
}

function ending({ until, status }: Endurance): string {
  return until === undefined ? `over ${duration(cap)}` : `${duration(until)}, then ${status}`
}

function answer({ status, milliseconds }: Measured['hangs']): string {
  if (status === undefined) return `none in ${duration(milliseconds)}`
  return `${status} after ${(milliseconds / second).toFixed(1)} s`
}

function duration(milliseconds: number): string {
  const [size, name] =
    milliseconds >= 2 * day
      ? [day, 'days']
      : milliseconds >= 2 * hour
        ? [hour, 'h']
        : milliseconds >= 2 * minute
          ? [minute, 'min']
          : [second, 's']
  const whole = Math.floor(milliseconds / size)
  const rest = size === minute ? Math.round((milliseconds % minute) / second) : 0
  return `${whole} ${name}${rest === 0 ? '' : ` ${rest} s`}`
}
