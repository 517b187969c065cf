import { fork, type ForkOptions } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { RunningServer } from './contestant.ts'
import type { Issuer } from './issuer.ts'

const server = fileURLToPath(new URL('server.js', import.meta.url))

/** What a process has used. */
export interface Usage {
  /** CPU time of all threads in microseconds, by getrusage(2). */
  readonly cpu: number
  /** Bytes. */
  readonly rss: number
}

/** A contestant in its own process. */
export interface RunningChild extends RunningServer {
  usage(): Promise<Usage>
}

/** The environment of a process that accepts the issuer's certificate. */
export function environment({ certificate }: Issuer): ForkOptions['env'] {
  const { PATH, BENCH_OTHER_BUILD, BENCH_STORE, BENCH_TIME } = process.env
  return {
    PATH,
    BENCH_OTHER_BUILD,
    BENCH_STORE,
    BENCH_TIME,
    NODE_ENV: 'production',
    NODE_EXTRA_CA_CERTS: certificate.path,
  }
}

/**
 * Starts a contestant in a new process.
 *
 * @param execArgv - Options of node, such as a module to load first.
 */
export async function startChild(
  name: string,
  issuer: Issuer,
  execArgv: string[] = [],
): Promise<RunningChild> {
  const child = fork(server, [name, JSON.stringify(issuer.data)], {
    execArgv,
    env: environment(issuer),
    // Some contestants print every refusal.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr!.on('data', (text: Buffer) => (errors = (errors + text.toString()).slice(-4000)))
  let isClosing = false
  const end = async (): Promise<void> => {
    await once(child, 'exit')
    if (!isClosing) throw new Error(`${name} ended: ${errors}`)
  }
  const ended = end()
  ended.catch(() => undefined)
  /** The next message of the process. */
  const message = async <T>(): Promise<T> => {
    const [received] = (await Promise.race([once(child, 'message'), ended])) as [T]
    return received
  }
  const { url } = await message<{ url: string }>()
  return {
    url,
    usage() {
      child.send('usage')
      return message<Usage>()
    },
    async close() {
      isClosing = true
      child.kill()
      await ended
    },
  }
}
