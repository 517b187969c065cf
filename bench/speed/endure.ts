import { startChild } from '../child.ts'
import { createKey, type Issuer } from '../issuer.ts'
import { fastify, ours } from './field.ts'
import { measure, type Measurement } from './load.ts'
import { figure, megabytes, table } from './report.ts'
import type { Size } from './size.ts'
import { createTokens } from './tokens.ts'

const steps = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1]

/**
 * Throughput and memory of this plugin under a million requests. A token comes back only after all others: the worst case for a cache.
 */
export async function endurance(issuer: Issuer, size: Size): Promise<string> {
  const key = createKey()
  issuer.keys = [key]
  const tokens = await createTokens(issuer.data, key, size.liveTokens)
  const headers = tokens.map((token) => `Bearer ${token}`)
  const results = new Map<string, Measurement[]>()
  for (const name of [fastify, ours]) {
    const server = await startChild(name, issuer)
    const measurements: Measurement[] = []
    let sent = 0
    for (const step of steps) {
      const amount = Math.round(size.longRun * step) - sent
      const first = sent % headers.length
      const inTurn = [...headers.slice(first), ...headers.slice(0, first)]
      const measurement = await measure(server, inTurn, { amount })
      if (measurement.statuses.join() !== '200') throw new Error(measurement.statuses.join(', '))
      sent += amount
      measurements.push(measurement)
    }
    results.set(name, measurements)
    await server.close()
    process.stderr.write(`endure: ${name}\n`)
  }
  const rows = steps.map((step, index) => {
    const [bare, plugin] = [fastify, ours].map((name) => results.get(name)![index]!)
    return [
      figure(size.longRun * step),
      figure(plugin!.requestsPerSecond),
      figure(plugin!.cpu),
      megabytes(plugin!.rss),
      figure(bare!.requestsPerSecond),
      megabytes(bare!.rss),
    ]
  })
  const head = [
    'requests so far',
    'requests/s since the row above',
    'CPU per request, µs',
    'RSS, MiB',
    'bare: requests/s',
    'bare: RSS, MiB',
  ]
  return `${figure(size.liveTokens)} different RS256 tokens in turn.\n\n${table(head, rows)}`
}
