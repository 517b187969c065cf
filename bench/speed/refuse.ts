import { createKey, type Issuer } from '../issuer.ts'
import { express, fastify, field, type Entry } from './field.ts'
import type { LoadGenerator, Measurement, Server } from './processes.ts'
import { figure, spread, table } from './report.ts'
import { startAll } from './servers.ts'
import type { Size } from './size.ts'
import { shuffled, summarize } from './statistics.ts'
import { createRefused } from './tokens.ts'

/** For a refusal a cache of good tokens changes nothing, so each library comes once. */
const entries: readonly Entry[] = field.filter(({ name }) => !name.includes(', '))
const rounds = 3

/** What refusing costs, by what is wrong with a request, as CPU time of the server for one request. */
export async function refusals(issuer: Issuer, load: LoadGenerator, size: Size): Promise<string> {
  const key = createKey()
  issuer.keys = [key]
  const kinds = await createRefused(issuer.data, key, createKey())
  const servers = await startAll([fastify, express, ...entries.map(({ name }) => name)], issuer)
  const measured = new Map<string, Measurement[]>()
  const measure = async (server: Server, kind: string): Promise<void> => {
    const requests = { from: 0, count: size.refusedRequests, milliseconds: size.milliseconds }
    const name = `${kind} ${server.name}`
    const measurement = await load.measure(server, { ...requests, file: load.path(kind) })
    measured.set(name, [...(measured.get(name) ?? []), measurement])
  }
  for (const { name, headers } of kinds) {
    load.store(name, headers)
    // The first round warms up.
    for (let round = 0; round <= rounds; round += 1) {
      for (const server of shuffled(servers)) await measure(server, name)
    }
    process.stderr.write(`refused: ${name}\n`)
  }
  await Promise.all(servers.map((server) => server.close()))

  const present = [{ name: fastify }, { name: express }, ...entries].filter(({ name }) =>
    servers.some((server) => server.name === name),
  )
  const rows = kinds.map(({ name: kind }) => [
    kind,
    ...present.map(({ name }) => {
      const [, ...samples] = measured.get(`${kind} ${name}`)!
      const text = figure(summarize(samples.map(({ cpu }) => cpu)).median)
      const statuses = new Set(samples.flatMap((sample) => Object.keys(sample.statuses)))
      const expected = name === fastify || name === express ? '200' : '401'
      return statuses.size === 1 && statuses.has(expected) ? text : `${text} [${[...statuses].join(', ')}]`
    }),
  ])
  const least = rows.map(([kind]) => {
    const name = `${kind} ${entries[0]!.name}`
    return [
      kind!,
      spread(
        summarize(
          measured
            .get(name)!
            .slice(1)
            .map(({ cpu }) => cpu),
        ),
      ),
      figure(
        summarize(
          measured
            .get(name)!
            .slice(1)
            .map(({ requests, seconds }) => requests / seconds),
        ).median,
      ),
    ]
  })
  return [
    'CPU per request in µs, RS256; the bare routes answer 200 to all of these. In brackets: an answer other than 401.',
    table(['', ...present.map(({ name }) => name)], rows),
    'This plugin, with the quartiles:',
    table(['', 'CPU per request, µs', 'requests/s'], least),
  ].join('\n\n')
}
