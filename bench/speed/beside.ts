import { once } from 'node:events'
import { connect } from 'node:net'
import { createKey, type Algorithm, type Issuer } from '../issuer.ts'
import { connections, Server } from './processes.ts'
import { compared, comparedHead, table, type Row } from './report.ts'
import { sendAll } from './send.ts'
import type { Size } from './size.ts'
import { shuffled } from './statistics.ts'
import { createTokens, users } from './tokens.ts'

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
    const again = rounds.map((round) => ({ own: round.again, bare: round.bare }))
    const secured = rounds.map((round) => ({ own: round.secured, bare: round.bare }))
    rows.push([...compared(`${algorithm}, the bare route again`, again), ''])
    rows.push([...compared(`${algorithm}, seen token`, secured), 'at most 1.08, and 2 µs'])
  }
  return table([...comparedHead, 'promised'], rows)
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
    let refused = 0
    await sendAll(sockets, requests, count, (status) => {
      if (status !== '200') refused += 1
    })
    if (refused > 0) throw new Error(`${refused} requests were refused`)
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
