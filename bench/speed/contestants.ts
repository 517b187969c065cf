import type { Issuer } from '../issuer.ts'
import { express, fastify, field, type Entry } from './field.ts'
import type { Load, LoadGenerator, Measurement, Server } from './processes.ts'
import { startAll } from './servers.ts'

/** All contestants in fresh processes: no two of one program are compiled alike. */
export class Contestants {
  readonly #servers: readonly Server[]
  readonly entries: readonly Entry[]
  /** What those that don't accept the algorithm said. */
  readonly unable: readonly string[]

  private constructor(servers: readonly Server[], entries: readonly Entry[], unable: readonly string[]) {
    this.#servers = servers
    this.entries = entries
    this.unable = unable
  }

  /** @param warmUp - What nobody counts; what the last of it is answered with tells who is able. */
  static async start(issuer: Issuer, load: LoadGenerator, warmUp: readonly Load[]): Promise<Contestants> {
    const servers = await startAll([fastify, express, ...field.map(({ name }) => name)], issuer)
    const unable = new Map<string, string>()
    for (const server of servers) {
      let statuses: Measurement['statuses'] = {}
      for (const requests of warmUp) ({ statuses } = await load.measure(server, requests))
      if (!isAll(statuses, '200'))
        unable.set(server.name, `${server.name} (${Object.keys(statuses).join(', ')})`)
    }
    const entries = field.filter(
      ({ name }) => servers.some((server) => server.name === name) && !unable.has(name),
    )
    return new Contestants(servers, entries, [...unable.values()])
  }

  server(name: string): Server {
    return this.#servers.find((server) => server.name === name)!
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()))
  }
}

export function isAll(statuses: Readonly<Record<string, number>>, status: string): boolean {
  return Object.keys(statuses).join(' ') === status
}
