import { createKey, type Issuer } from '../issuer.ts'
import { fastify, ours } from './field.ts'
import { Server, type LoadGenerator, type Measurement } from './processes.ts'
import { figure, megabytes, table } from './report.ts'
import type { Size } from './size.ts'
import { createTokens, forge } from './tokens.ts'

const steps = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1]

/**
 * Throughput and memory of this plugin under a million requests. All users are alive at once and call in turn, so that
 * a token is seen again only after all of the others: the worst case for a cache.
 */
export async function endurance(issuer: Issuer, load: LoadGenerator, size: Size): Promise<string> {
  const key = createKey()
  issuer.keys = [key]
  const tokens = await createTokens(issuer.data, key, size.newTokens)
  const file = load.store(
    'live',
    tokens.map((token) => `Bearer ${token}`),
  )
  const results = new Map<string, Measurement[]>()
  for (const name of [fastify, ours]) {
    const server = await Server.start(name, issuer)
    const measurements: Measurement[] = []
    let sent = 0
    for (const step of steps) {
      const count = Math.round(size.longRun * step) - sent
      const measurement = await load.measure(server, { file, from: sent, count, milliseconds: 10 * 60_000 })
      if (measurement.statuses['200'] !== count) throw new Error(JSON.stringify(measurement.statuses))
      sent += count
      measurements.push(measurement)
    }
    results.set(name, measurements)
    await server.close()
    process.stderr.write(`endured: ${name}\n`)
  }
  const rows = steps.map((step, index) => {
    const [bare, plugin] = [fastify, ours].map((name) => results.get(name)![index]!)
    return [
      figure(size.longRun * step),
      figure(plugin!.requests / plugin!.seconds),
      figure(plugin!.cpu),
      megabytes(plugin!.rss),
      figure(bare!.requests / bare!.seconds),
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
  return `${figure(size.newTokens)} live RS256 tokens in turn.\n\n${table(head, rows)}`
}

const forgedByGood = 100
const passes = 3

/** How many of the regular users' requests are answered from the cache while others send forged tokens. */
export async function hitRate(issuer: Issuer, load: LoadGenerator, size: Size): Promise<string> {
  const key = createKey()
  issuer.keys = [key]
  const regulars = await createTokens(issuer.data, key, size.regulars)
  const headers = regulars.flatMap((token, user) => [
    `Bearer ${token}`,
    ...Array.from({ length: forgedByGood }, (_, n) => `Bearer ${forge(token, user * forgedByGood + n)}`),
  ])
  const file = load.store('flood', headers)
  await using server = await Server.start(ours, issuer)
  let before = await server.count()
  const rows = []
  for (let pass = 1; pass <= passes; pass += 1) {
    const all = { file, from: 0, count: headers.length, milliseconds: 10 * 60_000 }
    const { statuses, cpu } = await load.measure(server, all)
    if (statuses['200'] !== regulars.length || statuses['401'] !== headers.length - regulars.length) {
      throw new Error(JSON.stringify(statuses))
    }
    const after = await server.read()
    const accepted = after.accepted - before.accepted
    const hits =
      accepted === 0 ? 'not told' : `${figure((100 * (after.cached - before.cached)) / accepted)} %`
    rows.push([`pass ${pass}`, statuses['200'], statuses['401'], hits, figure(cpu), megabytes(after.rss)])
    before = after
  }
  const head = [
    '',
    'accepted',
    'forged, refused',
    'accepted from the cache',
    'CPU per request, µs',
    'RSS, MiB',
  ]
  return `${figure(size.regulars)} regular users, ${forgedByGood} different forged tokens for each of their requests.\n\n${table(head, rows)}`
}
