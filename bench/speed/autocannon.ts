import autocannon from 'autocannon'
import { createKey, type Algorithm, type Issuer } from '../issuer.ts'
import { fastify, field, ours } from './field.ts'
import type { Server } from './processes.ts'
import { figure, spread, table, type Row } from './report.ts'
import { startAll } from './servers.ts'
import type { Size } from './size.ts'
import { shuffled, summarize } from './statistics.ts'
import { createTokens } from './tokens.ts'

interface Round {
  /** CPU time of the server for one request, microseconds. */
  readonly cpu: number
  readonly requestsPerSecond: number
}

const users = 200
const connections = 32
/** Those that have something to say of a token that was seen before. */
const names = [
  fastify,
  ...field.map(({ name }) => name).filter((name) => name === ours || name.endsWith(', cached')),
]

/**
 * Seen tokens once more, with autocannon as the load. It needs more CPU for a request than a bare Fastify route, so that the server
 * sleeps in between, as servers do, and pays for being woken.
 */
export async function byAutocannon(issuer: Issuer, size: Size): Promise<string> {
  const sections: string[] = []
  for (const algorithm of size.algorithms) sections.push(await ofAlgorithm(algorithm, issuer, size))
  return sections.join('\n\n')
}

async function ofAlgorithm(algorithm: Algorithm, issuer: Issuer, size: Size): Promise<string> {
  const key = createKey(algorithm)
  issuer.keys = [key]
  const requests = (await createTokens(issuer.data, key, users)).map((token) => ({
    method: 'GET' as const,
    headers: { authorization: `Bearer ${token}` },
  }))
  const servers = await startAll(names, issuer)
  const able: Server[] = []
  for (const server of servers) if (await run(server, requests, size.cannonSeconds)) able.push(server)
  const rounds = new Map(able.map((server) => [server.name, [] as Round[]]))
  for (let round = 0; round < size.cannonRounds; round += 1) {
    for (const server of shuffled(able)) {
      const result = await run(server, requests, size.cannonSeconds)
      if (!result) throw new Error(`${server.name} refused a token`)
      rounds.get(server.name)!.push(result)
    }
    process.stderr.write(`autocannon, ${algorithm}: round ${round + 1} of ${size.cannonRounds}\n`)
  }
  await Promise.all(servers.map((server) => server.close()))

  const bare = rounds.get(fastify)!
  const rows = Array.from(rounds, ([name, measured]): Row => {
    const isBare = name === fastify
    return [
      name,
      spread(summarize(measured.map(({ cpu }) => cpu))),
      isBare ? '' : spread(summarize(measured.map(({ cpu }, round) => cpu - bare[round]!.cpu))),
      isBare ? '' : spread(summarize(measured.map(({ cpu }, round) => cpu / bare[round]!.cpu))),
      figure(summarize(measured.map(({ requestsPerSecond }) => requestsPerSecond)).median),
    ]
  })
  return `${algorithm}:\n\n${table(['', 'CPU per request, µs', 'added to the bare route, µs', 'by the bare route', 'requests/s'], rows)}`
}

/** Undefined where a token was refused. */
async function run(
  server: Server,
  requests: autocannon.Request[],
  duration: number,
): Promise<Round | undefined> {
  const before = await server.read()
  const result = await autocannon({ url: server.url, connections, duration, requests })
  const { cpu } = await server.read()
  if (result['2xx'] !== result.requests.total) return undefined
  return { cpu: (cpu - before.cpu) / result.requests.total, requestsPerSecond: result.requests.average }
}
