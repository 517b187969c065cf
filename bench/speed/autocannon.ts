import autocannon from 'autocannon'
import { createKey, type Algorithm, type Issuer } from '../issuer.ts'
import { fastify, field, ours } from './field.ts'
import { connections, type Server } from './processes.ts'
import { compared, comparedHead, figure, table, type Row } from './report.ts'
import { startAll } from './servers.ts'
import type { Size } from './size.ts'
import { shuffled, summarize } from './statistics.ts'
import { createTokens, users } from './tokens.ts'

/** What one second gave. */
interface Second {
  /** CPU time of the server for one request, microseconds. */
  readonly cpu: number
  readonly requestsPerSecond: number
}

/** A second of a contestant, and of the bare route just before it. */
interface Pair {
  readonly own: Second
  readonly bare: Second
}

/** Those that have something to say of a token that was seen before. The bare route is one of them: what it "adds" in another process is noise. */
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
  const secondOf = (server: Server): Promise<Second | undefined> => run(server, requests, size.cannonSeconds)
  const pairs = new Map<string, Pair[]>()
  for (let start = 1; start <= size.starts; start += 1) {
    const [bare, ...contestants] = await startAll([fastify, ...names], issuer)
    await secondOf(bare!)
    const able: Server[] = []
    for (const server of contestants) if (await secondOf(server)) able.push(server)
    for (let round = 1; round <= size.cannonRounds / size.starts; round += 1) {
      for (const server of shuffled(able)) {
        const before = await secondOf(bare!)
        const own = await secondOf(server)
        if (!before || !own) throw new Error(`${server.name} refused a token`)
        pairs.set(server.name, [...(pairs.get(server.name) ?? []), { own, bare: before }])
      }
    }
    await Promise.all([bare!, ...contestants].map((server) => server.close()))
    process.stderr.write(`autocannon, ${algorithm}: start ${start} of ${size.starts}\n`)
  }

  const rows = names.flatMap((name): Row[] => {
    const measured = pairs.get(name)
    if (!measured) return []
    return [
      [
        ...compared(
          name === fastify ? 'bare, in another process' : name,
          measured.map(({ own, bare }) => ({ own: own.cpu, bare: bare.cpu })),
        ),
        figure(summarize(measured.map(({ own }) => own.requestsPerSecond)).median),
      ],
    ]
  })
  return `${algorithm}:\n\n${table([...comparedHead, 'requests/s'], rows)}`
}

/** Undefined where a token was refused. */
async function run(
  server: Server,
  requests: autocannon.Request[],
  duration: number,
): Promise<Second | undefined> {
  const before = await server.read()
  const result = await autocannon({ url: server.url, connections, duration, requests })
  const { cpu } = await server.read()
  if (result['2xx'] !== result.requests.total) return undefined
  return { cpu: (cpu - before.cpu) / result.requests.total, requestsPerSecond: result.requests.average }
}
