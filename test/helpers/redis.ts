import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './program.ts'

const server = findProgram('redis-server')

/** The reason to skip tests with Redis, if there is one. */
export const { skip } = server

export interface Redis {
  /** Its Unix socket. */
  path: string
  /** Stops its process until it is resumed (SIGSTOP): connections stay open, and nothing is answered. */
  hang(): void
  resume(): void
  stop(): Promise<void>
}

/** Starts a Redis for one test. It listens on a Unix socket only, and its files are removed when it stops. */
export async function startRedis(): Promise<Redis> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  const path = join(directory, 'socket')
  const options = [
    '--port',
    '0',
    '--unixsocket',
    path,
    '--dir',
    directory,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const child = spawn(server.path, options, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  let log = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text))
  while (!log.includes('eady to accept connections')) {
    const isRunning = await Promise.race([
      once(child.stdout, 'data').then(() => true),
      ended.then(() => false),
    ])
    if (!isRunning) throw new Error(`redis-server ended before it was ready: ${log}`)
  }
  return {
    path,
    hang: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGKILL')
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
