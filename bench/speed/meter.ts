import { subscribe } from 'node:diagnostics_channel'

// Loaded into a contestant's process before anything else (`node --import`): tells over IPC what the process has used.

export interface Reading {
  /** CPU time of all threads, microseconds: getrusage(2), which Linux counts in nanoseconds. */
  readonly cpu: number
  /** Bytes. */
  readonly rss: number
  /** Tokens that were accepted since counting began, and how many of them were known already. */
  readonly accepted: number
  readonly cached: number
}

let accepted = 0
let cached = 0

process.on('message', (message: 'read' | 'count') => {
  if (message === 'count') {
    subscribe('fastify-jwks-auth:token-accepted', (event) => {
      accepted += 1
      if ((event as { cached: boolean }).cached) cached += 1
    })
  }
  const { user, system } = process.cpuUsage()
  const reading: Reading = { cpu: user + system, rss: process.memoryUsage.rss(), accepted, cached }
  process.send!(reading)
})
