import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { RunningServer } from './contestant.ts'
import type { Issuer } from './issuer.ts'

const server = fileURLToPath(new URL('server.js', import.meta.url))

/** A contestant in a process of its own. */
export interface RunningChild extends RunningServer {
  readonly process: ChildProcess
}

/**
 * Starts a contestant in a fresh process, with the issuer's certificate among its authorities.
 *
 * @param execArgv - Options of node, such as a module to load first.
 */
export async function startChild(
  name: string,
  { data, certificate }: Issuer,
  execArgv: string[] = [],
): Promise<RunningChild> {
  const child = fork(server, [name, JSON.stringify(data)], {
    execArgv,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', NODE_EXTRA_CA_CERTS: certificate.path },
    // Some print every refusal.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr!.on('data', (text: Buffer) => (errors = (errors + text.toString()).slice(-4000)))
  const exited = once(child, 'exit')
  const started = await Promise.race([once(child, 'message'), exited.then(() => undefined)])
  if (!started) throw new Error(`${name} did not start: ${errors}`)
  const [{ url }] = started as [{ url: string }]
  return {
    process: child,
    url,
    async close() {
      child.kill()
      await exited
    },
  }
}
