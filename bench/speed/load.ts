import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { sendAll } from './send.ts'
import { percentile } from './statistics.ts'

// The load generator, a process of its own: each connection sends a request, waits for the answer and sends the next.
// Requests are bytes made beforehand, so that one core of it keeps a server on another core busy; autocannon needs more
// CPU for a request than a bare Fastify route.

export interface Order {
  readonly url: string
  /** Path of a file with one Authorization header on each line; an empty line is a request without one. */
  readonly file: string
  /** The first line to send; behind the last line comes the first one again. */
  readonly from: number
  /** How many requests to send at most, and for how many milliseconds at most. */
  readonly count: number
  readonly milliseconds: number
  readonly connections: number
}

export interface Outcome {
  readonly requests: number
  readonly seconds: number
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>
  /** Latencies in milliseconds. */
  readonly p50: number
  readonly p99: number
}

const files = new Map<string, string[]>()

function linesOf(file: string): string[] {
  const lines = files.get(file) ?? readFileSync(file, 'latin1').split('\n')
  files.set(file, lines)
  return lines
}

function requestsFor({ url, file, from, count }: Order): Buffer[] {
  const lines = linesOf(file)
  const { host, pathname } = new URL(url)
  return Array.from({ length: Math.min(count, lines.length) }, (_, index) => {
    const line = lines[(from + index) % lines.length]!
    const authorization = line === '' ? '' : `authorization: ${line}\r\n`
    return Buffer.from(`GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\n${authorization}\r\n`, 'latin1')
  })
}

/** Sockets that have had an answer already, so that accepting connections is not part of what is measured. */
function open({ url, connections }: Order): Promise<Socket[]> {
  const { hostname, port, host } = new URL(url)
  const warm = async (): Promise<Socket> => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    socket.write(`GET /ping HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
    await once(socket, 'data')
    return socket
  }
  return Promise.all(Array.from({ length: connections }, warm))
}

async function send({ count, milliseconds }: Order, requests: Buffer[], sockets: Socket[]): Promise<Outcome> {
  const latencies = new Float64Array(count)
  const statuses: Record<string, number> = {}
  let answers = 0
  const start = performance.now()
  const answered = (status: string, latency: number): void => {
    latencies[answers++] = latency
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  await sendAll(sockets, requests, count, answered, start + milliseconds)
  const seconds = (performance.now() - start) / 1000
  const sorted = latencies.subarray(0, answers).toSorted()
  return { requests: answers, seconds, statuses, p50: percentile(sorted, 50), p99: percentile(sorted, 99) }
}

/** For each order: says `ready`, waits for the word to go, says what came of it, and lets go when it is told. */
async function serve(): Promise<void> {
  for (;;) {
    const [order] = (await once(process, 'message')) as [Order]
    const requests = requestsFor(order)
    const sockets = await open(order)
    process.send!('ready')
    await once(process, 'message')
    const outcome = await send(order, requests, sockets)
    process.send!(outcome)
    await once(process, 'message')
    for (const socket of sockets) socket.destroy()
    process.send!('done')
  }
}

process.once('disconnect', () => process.exit())
await serve()
