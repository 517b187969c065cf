import autocannon from 'autocannon'
import type { RunningChild } from '../child.ts'

/** Each one sends a request, waits for the response and sends the next request. */
const connections = 32

export interface Measurement {
  /** CPU time of the server's process for one request, microseconds. */
  readonly cpu: number
  readonly requestsPerSecond: number
  /** Bytes, at the end. */
  readonly rss: number
  readonly statuses: readonly string[]
}

/**
 * Sends requests to the secured route.
 *
 * @param authorizations - The header of each request, in turn; `undefined` for a request without one.
 * @param length - How many requests, or how many seconds.
 */
export async function measure(
  server: RunningChild,
  authorizations: readonly (string | undefined)[],
  length: { amount: number } | { duration: number },
): Promise<Measurement> {
  let clients = 0
  const before = await server.usage()
  const result = await autocannon({
    url: `${server.url}/secured/ping`,
    connections,
    ...length,
    // autocannon ends at a multiple of this, in milliseconds.
    sampleInt: 20,
    // Each connection has its own share of the headers: all of them at each one would be too much to keep.
    setupClient(client) {
      const own = clients++ % Math.min(connections, authorizations.length)
      const share = authorizations.filter((_, index) => index % connections === own)
      client.setRequests(
        share.map((authorization) => (authorization === undefined ? {} : { headers: { authorization } })),
      )
    },
  })
  const { cpu, rss } = await server.usage()
  if (result.errors > 0) throw new Error(`${result.errors} requests had no response`)
  return {
    cpu: (cpu - before.cpu) / result.requests.total,
    requestsPerSecond: result.requests.total / result.duration,
    rss,
    statuses: Object.keys(result.statusCodeStats!),
  }
}
