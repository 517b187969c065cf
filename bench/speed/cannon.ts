import { startChild } from '../child.ts'
import { createKey, type Issuer } from '../issuer.ts'
import { express, fastify, fieldFor, type Entry } from './field.ts'
import { measure, type Measurement } from './load.ts'
import { figure, spread, table, type Row } from './report.ts'
import type { Size } from './size.ts'
import { shuffled, summarize } from './statistics.ts'
import { createTokens, users } from './tokens.ts'

/** One second of a contestant, and of its bare route just before. */
interface Pair {
  readonly own: Measurement
  readonly bare: Measurement
}

/** What a seen token costs on a server under load. */
export async function cannon(issuer: Issuer, size: Size): Promise<string> {
  const [algorithm] = size.algorithms
  const key = createKey(algorithm)
  issuer.keys = [key]
  const headers = (await createTokens(issuer.data, key, users)).map((token) => `Bearer ${token}`)
  const again: Entry = { name: 'bare, in another process', bare: fastify }
  const entries = [again, ...fieldFor(key.alg)]
  const pairs = new Map(entries.map(({ name }): [string, Pair[]] => [name, []]))

  const secondOf = async (name: string, server: Awaited<ReturnType<typeof startChild>>) => {
    const measurement = await measure(server, headers, { duration: size.cannonSeconds })
    if (measurement.statuses.join() === '200') return measurement
    throw new Error(`${name} answered ${measurement.statuses.join(', ')}`)
  }
  for (let start = 1; start <= size.starts; start += 1) {
    const names = [fastify, express, ...entries.map(({ name }) => name)]
    const servers = new Map(
      await Promise.all(
        names.map(
          async (name) => [name, await startChild(name === again.name ? fastify : name, issuer)] as const,
        ),
      ),
    )
    // Not counted: keys are fetched, and V8 compiles what is called often.
    for (const [name, server] of servers) await secondOf(name, server)
    for (let round = 1; round <= size.cannonRounds; round += 1) {
      for (const { name, bare } of shuffled(entries)) {
        const before = await secondOf(bare, servers.get(bare)!)
        pairs.get(name)!.push({ bare: before, own: await secondOf(name, servers.get(name)!) })
      }
    }
    await Promise.all(Array.from(servers.values(), (server) => server.close()))
    process.stderr.write(`cannon: start ${start} of ${size.starts}\n`)
  }

  const rows = Array.from(pairs, ([name, measured]): Row => [
    name,
    spread(summarize(measured.map(({ own }) => own.cpu))),
    spread(summarize(measured.map(({ own, bare }) => own.cpu - bare.cpu))),
    spread(summarize(measured.map(({ own, bare }) => own.cpu / bare.cpu))),
    figure(summarize(measured.map(({ own }) => own.requestsPerSecond)).median),
  ])
  const head = ['', 'CPU per request, µs', 'added, µs', 'by the bare route', 'requests/s']
  return `${key.alg}:\n\n${table(head, rows)}`
}
