import { subscribe } from 'node:diagnostics_channel'
import { Session } from 'node:inspector/promises'

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

export type Question = 'read' | 'count' | 'begin profile' | 'end profile'

/** Microseconds between two looks at the stack. */
const samplingInterval = 200

let accepted = 0
let cached = 0
const inspector = new Session()

process.on('message', (question: Question) => {
  void answer(question).then((said) => process.send!(said))
})

async function answer(question: Question): Promise<object> {
  if (question === 'begin profile') {
    inspector.connect()
    await inspector.post('Profiler.enable')
    await inspector.post('Profiler.setSamplingInterval', { interval: samplingInterval })
    await inspector.post('Profiler.start')
  }
  if (question === 'end profile') return (await inspector.post('Profiler.stop')).profile
  if (question === 'count') {
    subscribe('fastify-jwks-auth:token-accepted', (event) => {
      accepted += 1
      if ((event as { cached: boolean }).cached) cached += 1
    })
  }
  const { user, system } = process.cpuUsage()
  const reading: Reading = { cpu: user + system, rss: process.memoryUsage.rss(), accepted, cached }
  return reading
}
