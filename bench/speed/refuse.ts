import { createKey, type Issuer } from '../issuer.ts'
import { express, fastify, field, ours, signatureAlone } from './field.ts'
import type { Load, LoadGenerator, Measurement, Server } from './processes.ts'
import { figure, spread, table, type Row } from './report.ts'
import { startAll } from './servers.ts'
import type { Size } from './size.ts'
import { shuffled, summarize } from './statistics.ts'
import { createRefused } from './tokens.ts'

const bare: readonly string[] = [fastify, express]
/** For a refusal a cache of good tokens changes nothing, so each library comes once. */
const names = [
  ...bare,
  ...field.map(({ name }) => name).filter((name) => !name.includes(', ') && name !== signatureAlone),
]
const mostRounds = 9

/** What refusing costs, by what is wrong with a request, as CPU time of the server for one request. */
export async function refusals(issuer: Issuer, load: LoadGenerator, size: Size): Promise<string> {
  const key = createKey()
  issuer.keys = [key]
  const kinds = (await createRefused(issuer.data, key, createKey())).map(({ name, headers }) => ({
    name,
    requests: { file: load.store(name, headers), from: 0, milliseconds: size.milliseconds },
  }))
  const servers = await startAll(names, issuer)
  for (const server of servers) {
    for (const { requests } of kinds) await load.measure(server, { ...requests, count: size.refusedRequests })
  }
  const measured = new Map<string, Measurement[]>()
  const measure = async (as: string, server: Server, requests: Omit<Load, 'count'>): Promise<void> => {
    const measurement = await load.measure(server, { ...requests, count: size.refusedRequests })
    measured.set(as, [...(measured.get(as) ?? []), measurement])
  }
  const bareRoute = servers.find(({ name }) => name === fastify)!
  for (let round = 1; round <= Math.min(size.rounds, mostRounds); round += 1) {
    for (const { name, requests } of kinds) {
      for (const server of shuffled(servers)) {
        // What is compared is measured together: the machine is slower at one time than at another.
        if (server.name === ours) await measure(`${name} beside`, bareRoute, requests)
        await measure(`${name} ${server.name}`, server, requests)
      }
    }
    process.stderr.write(`refusals: round ${round}\n`)
  }
  await Promise.all(servers.map((server) => server.close()))

  const started = servers.map(({ name }) => name)
  const rows = kinds.map(({ name: kind }): Row => [
    kind,
    ...started.map((name) => cell(measured.get(`${kind} ${name}`)!, bare.includes(name) ? '200' : '401')),
  ])
  const own = kinds.map(({ name: kind }): Row => {
    const samples = measured.get(`${kind} ${ours}`)!
    const ofBare = measured.get(`${kind} beside`)!
    return [
      kind,
      spread(summarize(samples.map(({ cpu }) => cpu))),
      spread(summarize(samples.map(({ cpu }, round) => cpu / ofBare[round]!.cpu - 1))),
      figure(summarize(samples.map(({ requests, seconds }) => requests / seconds)).median),
    ]
  })
  return [
    'CPU per request in µs, RS256; the bare routes answer 200 to all of these. In brackets: an answer other than 401.',
    table(['', ...started], rows),
    'This plugin, with the quartiles:',
    table(['', 'CPU per request, µs', 'added, by the bare route', 'requests/s'], own),
  ].join('\n\n')
}

function cell(samples: readonly Measurement[], expected: string): string {
  const text = figure(summarize(samples.map(({ cpu }) => cpu)).median)
  const statuses = [...new Set(samples.flatMap((sample) => Object.keys(sample.statuses)))].join(', ')
  return statuses === expected ? text : `${text} [${statuses}]`
}
