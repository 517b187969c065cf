import { startChild } from '../child.ts'
import { createKey, type Issuer } from '../issuer.ts'
import { express, fastify, fastJwt, field } from './field.ts'
import { measure } from './load.ts'
import { figure, table, type Row } from './report.ts'
import type { Size } from './size.ts'
import { shuffled, summarize } from './statistics.ts'
import { createRefused } from './tokens.ts'

/** Each library once: a cache of accepted tokens changes nothing for a refusal. */
const libraries = field.filter(({ name }) => !name.includes(', ') && name !== fastJwt)

interface Cell {
  /** CPU time of a refusal, by that of a request to the bare route just before. */
  readonly ratios: number[]
  readonly statuses: Set<string>
}

/** What a refusal costs on a server, by what is wrong with the request. */
export async function refusals(issuer: Issuer, size: Size): Promise<string> {
  const key = createKey()
  issuer.keys = [key]
  const kinds = await createRefused(issuer.data, key, createKey())
  const names = [fastify, express, ...libraries.map(({ name }) => name)]
  const servers = new Map(
    await Promise.all(names.map(async (name) => [name, await startChild(name, issuer)] as const)),
  )
  const cells = new Map<string, Cell>()
  const cellOf = (kind: string, name: string): Cell => {
    const place = `${kind}, ${name}`
    const cell = cells.get(place) ?? { ratios: [], statuses: new Set() }
    cells.set(place, cell)
    return cell
  }
  // The first round isn't counted.
  for (let round = 0; round <= size.refuseRounds; round += 1) {
    for (const { name: kind, headers } of kinds) {
      for (const { name, bare } of shuffled(libraries)) {
        const { cpu } = await measure(servers.get(bare)!, headers, { amount: size.refusedRequests })
        const own = await measure(servers.get(name)!, headers, { amount: size.refusedRequests })
        const { ratios, statuses } = cellOf(kind, name)
        if (round > 0) ratios.push(own.cpu / cpu)
        for (const status of own.statuses) statuses.add(status)
      }
    }
    process.stderr.write(`refuse: round ${round} of ${size.refuseRounds}\n`)
  }
  await Promise.all(Array.from(servers.values(), (server) => server.close()))

  const rows = kinds.map(({ name: kind }): Row => [
    kind,
    ...libraries.map(({ name }) => textOf(cellOf(kind, name))),
  ])
  return table(['', ...libraries.map(({ name }) => name)], rows)
}

function textOf({ ratios, statuses }: Cell): string {
  const text = figure(summarize(ratios).median)
  const answered = [...statuses].toSorted().join(', ')
  return answered === '401' ? text : `${text} [${answered}]`
}
