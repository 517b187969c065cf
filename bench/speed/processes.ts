import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Profiler } from 'node:inspector'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startChild, type RunningChild } from '../child.ts'
import type { Issuer } from '../issuer.ts'
import type { Order, Outcome } from './load.ts'
import type { Reading } from './meter.ts'

const meter = new URL('meter.js', import.meta.url).href
const loadGenerator = fileURLToPath(new URL('load.js', import.meta.url))

/** @throws {Error} where the child ends instead of answering. */
async function ask<Answer>(child: ChildProcess, message: object | string): Promise<Answer> {
  const waiting = new AbortController()
  const { signal } = waiting
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`a process ended with ${code}`)
  })
  child.send(message)
  try {
    const [answer] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Answer]
    return answer
  } finally {
    ended.catch(() => undefined)
    waiting.abort()
  }
}

/** A contestant under measurement. */
export class Server {
  readonly name: string
  readonly #child: RunningChild

  private constructor(name: string, child: RunningChild) {
    this.name = name
    this.#child = child
  }

  static async start(name: string, issuer: Issuer): Promise<Server> {
    return new Server(name, await startChild(name, issuer, ['--import', meter]))
  }

  get url(): string {
    return `${this.#child.url}/secured/ping`
  }

  read(): Promise<Reading> {
    return ask(this.#child.process, 'read')
  }

  /** From now on accepted tokens are counted. */
  count(): Promise<Reading> {
    return ask(this.#child.process, 'count')
  }

  /** From now on it is looked at, many times a second, what the server is doing. */
  async beginProfile(): Promise<void> {
    await ask(this.#child.process, 'begin profile')
  }

  endProfile(): Promise<Profiler.Profile> {
    return ask(this.#child.process, 'end profile')
  }

  async close(): Promise<void> {
    await this.#child.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

export interface Measurement extends Outcome {
  /** CPU time of the server for one request, microseconds. */
  readonly cpu: number
  /** CPU time of the server by wall time: near 1, its core had nothing else to do. */
  readonly busy: number
  /** Bytes, at the end. */
  readonly rss: number
}

export type Load = Omit<Order, 'url' | 'connections'>

/** Those of the load, each of which waits for its answer. */
export const connections = 32

/** The load generator's process. */
export class LoadGenerator {
  readonly #child = fork(loadGenerator)
  readonly #directory = mkdtempSync(join(tmpdir(), 'jwks-auth-speed-'))

  constructor() {
    process.once('exit', () => rmSync(this.#directory, { recursive: true, force: true }))
  }

  /** Makes Authorization headers known to the generator. */
  store(name: string, headers: readonly (string | undefined)[]): string {
    const file = this.path(name)
    writeFileSync(file, headers.map((header) => header ?? '').join('\n'), 'latin1')
    return file
  }

  /** Where the headers of this name are. */
  path(name: string): string {
    return join(this.#directory, name)
  }

  async measure(server: Server, load: Load): Promise<Measurement> {
    await this.#tell({ ...load, url: server.url, connections })
    const before = await server.read()
    const outcome = await this.#tell<Outcome>('go')
    const after = await server.read()
    await this.#tell('end')
    const used = after.cpu - before.cpu
    return {
      ...outcome,
      cpu: used / outcome.requests,
      busy: used / 1e6 / outcome.seconds,
      rss: after.rss,
    }
  }

  #tell<Answer>(message: Order | 'go' | 'end'): Promise<Answer> {
    return ask(this.#child, message)
  }

  close(): void {
    this.#child.disconnect()
  }
}
