import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createKey, type Algorithm, type Issuer } from '../issuer.ts'
import { connections, Server } from './processes.ts'
import { spread, table, type Row } from './report.ts'
import type { Size } from './size.ts'
import { shuffled, summarize } from './statistics.ts'
import { createTokens, users } from './tokens.ts'

const head = [
  '',
  'bare, CPU per request, µs',
  'CPU per request, µs',
  'added, µs',
  'by the bare route',
  'promised',
]

/** What each round gave: CPU time for a request of each route, microseconds. */
interface Round {
  readonly bare: number
  /** The bare route once more: what it "adds" is noise. */
  readonly again: number
  readonly secured: number
}

/**
 * Seen tokens, and a bare route in the same process. Two processes of one program are as far apart as what is looked for here, and so are two
 * seconds on a machine that others use too: so the routes take turns every few milliseconds, over connections that stay.
 */
export async function besideBare(issuer: Issuer, size: Size): Promise<string> {
  const rows: Row[] = []
  for (const algorithm of size.algorithms) {
    const rounds: Round[] = []
    for (let start = 1; start <= size.starts; start += 1) {
      rounds.push(...(await ofStart(algorithm, issuer, size)))
      process.stderr.write(`side by side, ${algorithm}: start ${start} of ${size.starts}\n`)
    }
    rows.push(row(`${algorithm}, the bare route again`, rounds, ({ again }) => again, ''))
    rows.push(row(`${algorithm}, seen token`, rounds, ({ secured }) => secured, 'at most 1.08, and 2 µs'))
  }
  return table(head, rows)
}

function row(name: string, rounds: readonly Round[], cpuOf: (round: Round) => number, promised: string): Row {
  return [
    name,
    spread(summarize(rounds.map(({ bare }) => bare))),
    spread(summarize(rounds.map(cpuOf))),
    spread(summarize(rounds.map((round) => cpuOf(round) - round.bare))),
    spread(summarize(rounds.map((round) => cpuOf(round) / round.bare))),
    promised,
  ]
}

async function ofStart(algorithm: Algorithm, issuer: Issuer, size: Size): Promise<Round[]> {
  const key = createKey(algorithm)
  issuer.keys = [key]
  const tokens = await createTokens(issuer.data, key, users)
  await using server = await Server.start('fastify-jwks-auth, beside a bare route', issuer)
  const { host, hostname, port } = new URL(server.url)
  const requestsTo = (path: string): Buffer[] =>
    tokens.map((token) =>
      Buffer.from(
        `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n\r\n`,
        'latin1',
      ),
    )
  const [bare, secured] = [requestsTo('/another/ping'), requestsTo('/secured/ping')]
  const sockets = Array.from({ length: connections }, () =>
    connect({ host: hostname, port: Number(port), noDelay: true }),
  )
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))

  const cpuOf = async (requests: readonly Buffer[], count: number): Promise<number> => {
    const before = await server.read()
    await sendAll(sockets, requests, count)
    const after = await server.read()
    return (after.cpu - before.cpu) / count
  }
  try {
    // Some are compiled again after others have been used.
    for (const requests of [bare, secured, bare, secured]) await cpuOf(requests, 2 * size.warmUp)
    const rounds: Round[] = []
    for (let round = 0; round < size.besideRounds / size.starts; round += 1) {
      const measured = { bare: 0, again: 0, secured: 0 }
      for (const name of shuffled(['bare', 'again', 'secured'] as const)) {
        measured[name] = await cpuOf(name === 'secured' ? secured : bare, size.besideRequests)
      }
      rounds.push(measured)
    }
    return rounds
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

/** Each connection sends a request, waits for the answer and sends the next, until all are answered. */
async function sendAll(
  sockets: readonly Socket[],
  requests: readonly Buffer[],
  count: number,
): Promise<void> {
  let sent = 0
  const drive = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = (): void => {
        if (sent === count) {
          socket.removeAllListeners()
          resolve()
        } else socket.write(requests[sent++ % requests.length]!)
      }
      socket.once('error', reject)
      socket.once('end', () => reject(new Error('the server ended a connection')))
      socket.on('data', (answer) => {
        const first = answer.toString('latin1', 0, 13)
        if (first === 'HTTP/1.1 200 ') next()
        else reject(new Error(`a request was answered ${first}`))
      })
      next()
    })
  // Never asleep: a server would pay for waking it with each answer.
  let isSending = true
  const poll = (): void => {
    if (isSending) setImmediate(poll)
  }
  poll()
  await Promise.all(sockets.map(drive)).finally(() => {
    isSending = false
  })
}
