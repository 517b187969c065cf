import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
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

async function send(order: Order): Promise<Outcome> {
  const requests = requestsFor(order)
  const { hostname, port } = new URL(order.url)
  const latencies = new Float64Array(order.count)
  const statuses: Record<string, number> = {}
  let sent = 0
  let answered = 0
  const start = performance.now()
  const end = start + order.milliseconds

  const connection = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true })
      let sentAt = 0
      const next = (): void => {
        sentAt = performance.now()
        if (sent === order.count || sentAt > end) {
          socket.destroy()
          resolve()
          return
        }
        socket.write(requests[sent++ % requests.length]!)
      }
      socket.once('connect', next)
      socket.once('error', reject)
      socket.once('end', () => reject(new Error('the server ended a connection')))
      socket.on('data', (answer) => {
        // Answers are short: they come whole, or the figures are not what they are taken for.
        const first = answer.toString('latin1', 0, 12)
        if (!first.startsWith('HTTP/1.1 ')) {
          reject(new Error('an answer came in pieces'))
          return
        }
        latencies[answered++] = performance.now() - sentAt
        const status = first.slice(9)
        statuses[status] = (statuses[status] ?? 0) + 1
        next()
      })
    })

  await Promise.all(Array.from({ length: order.connections }, connection))
  const seconds = (performance.now() - start) / 1000
  const sorted = latencies.subarray(0, answered).toSorted()
  return {
    requests: answered,
    seconds,
    statuses,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
  }
}

process.on('message', (order: Order) => {
  void send(order).then(
    (outcome) => process.send!(outcome),
    (error: Error) => process.send!({ error: error.message }),
  )
})
process.once('disconnect', () => process.exit())
