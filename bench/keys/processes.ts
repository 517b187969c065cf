import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Certificate } from '../certificate.ts'
import { startChild, type RunningChild } from '../child.ts'
import { Client } from '../client.ts'
import { createKey, Issuer } from '../issuer.ts'
import { rows } from './table.ts'
import { minute, second } from './trial.ts'

/** The results of one contestant. */
export interface Processes {
  /** Fetches for the first tokens of 20 processes at once. */
  readonly first: number
  /** Fetches in the following 5 minutes, in which each process gets good tokens and one unknown kid. */
  readonly later: number
  /** The status of a good token in a process that starts then, without the issuer. */
  readonly status: number | undefined
}

const count = 20
const step = 10 * second
const key = createKey()

/** The contestants, and their names in the table. */
export const names: Readonly<Record<string, string>> = {
  'fastify-jwks-auth, store': '**fastify-jwks-auth**, with a store',
  ...Object.fromEntries(Object.entries(rows).map(([name, { label }]) => [name, label])),
}

class Process {
  readonly #child: RunningChild
  readonly #client: Client

  private constructor(child: RunningChild) {
    this.#child = child
    this.#client = new Client(child.url)
  }

  /** Starts a process whose clock stands still. */
  static async start(name: string, issuer: Issuer): Promise<Process> {
    const clock = ['--import', new URL('../clock.js', import.meta.url).href]
    const started = new Process(await startChild(name, issuer, clock))
    await started.call('none', 1)
    return started
  }

  async call(token: string, advance?: number): Promise<number | undefined> {
    const headers = advance === undefined ? {} : { 'x-clock-advance': String(advance) }
    return (await this.#client.call(token, headers)).status
  }

  async close(): Promise<void> {
    this.#client.close()
    await this.#child.close()
  }
}

/** Measures 20 processes of one contestant, and then a process that starts in an outage. */
export async function measureProcesses(name: string, certificate: Certificate): Promise<Processes> {
  const issuer = await Issuer.start(certificate)
  issuer.keys = [key]
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  // The processes have the same time, as machines with a time server have.
  Object.assign(process.env, { BENCH_STORE: directory, BENCH_TIME: String(Date.now()) })
  const processes: Process[] = []
  try {
    for (let index = 0; index < count; index += 1) processes.push(await Process.start(name, issuer))
    const token = issuer.token(key)
    const callAll = async (advance?: number): Promise<void> => {
      const statuses = await Promise.all(processes.map((each) => each.call(token, advance)))
      if (statuses.some((status) => status !== 200)) throw new Error(`${name} refused a good token`)
      do await setTimeout(20)
      while (issuer.pending > 0)
    }
    await callAll()
    const first = issuer.fetches
    issuer.fetches = 0
    for (const each of processes) await each.call(issuer.bogusToken())
    for (let elapsed = 0; elapsed < 5 * minute; elapsed += step) await callAll(step)
    const later = issuer.fetches
    await Promise.all(processes.splice(0).map((each) => each.close()))
    await issuer.goDown()
    const restarted = await Process.start(name, issuer)
    processes.push(restarted)
    return { first, later, status: await restarted.call(token, 5 * minute) }
  } finally {
    await Promise.all(processes.map((each) => each.close()))
    await issuer[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The table as Markdown. */
export function renderProcesses(results: ReadonlyMap<string, Processes>): string {
  const lines = [
    ['', ...[...results.keys()].map((name) => names[name]!)],
    ['---', ...[...results.keys()].map(() => '---')],
    ['Cold start in an outage', ...[...results.values()].map(({ status }) => String(status))],
    [
      'Fetches of 20 processes, for their first tokens',
      ...[...results.values()].map(({ first }) => String(first)),
    ],
    [
      'Fetches of 20 processes, in the next 5 minutes',
      ...[...results.values()].map(({ later }) => String(later)),
    ],
  ]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
