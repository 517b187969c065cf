import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from './program.ts'

const programOf = (name: string): string => fileURLToPath(new URL(`../../demo/${name}`, import.meta.url))

export type Environment = Record<string, string>

interface End {
  code: number | null
  signal: NodeJS.Signals | null
}

/** Runs the demo as a process in an empty directory, so that a developer's `.env` has no effect. */
export class Demo {
  stdout = ''
  stderr = ''
  readonly ended: Promise<End>
  readonly #child: ChildProcess
  readonly #directory: string = mkdtempSync(join(tmpdir(), 'jwks-auth-demo-'))

  constructor(environment: Environment = {}, dotenv?: string, program = 'main.ts') {
    if (dotenv !== undefined) writeFileSync(join(this.#directory, '.env'), dotenv)
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), programOf(program)], {
      cwd: this.#directory,
      // The environment of the tests may contain variables that the demo reads.
      env: { PATH: process.env.PATH, PORT: '0', PAGE_PORT: '0', ISSUER_PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = once(child, 'close').then(([code, signal]) => {
      rmSync(this.#directory, { recursive: true, force: true })
      return { code, signal }
    })
    this.#child = child
  }

  /** Resolves to the address of the API when the demo has printed its instructions. */
  async ready(): Promise<string> {
    while (!this.stdout.includes('Ctrl+C')) {
      const [more] = await Promise.race([once(this.#child.stdout!, 'data'), this.ended.then(() => [])])
      if (more === undefined) throw new Error(`the demo ended before it was ready: ${this.stderr}`)
    }
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(this.stdout)!
    return address
  }

  /** The commands that the demo prints. */
  get lines(): string {
    return this.stdout
      .split('\n')
      .filter((line) => /^ +(curl|TOKEN=)/.test(line))
      .join('\n')
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<End> {
    this.#child.kill(signal)
    return this.ended
  }
}

/** The reason to skip what needs curl. */
export const noCurl: string | false = findProgram('curl').skip

/** Runs printed commands in a shell. Returns the responses that `curl -i` printed. */
export async function paste(lines: string): Promise<{ status: number; head: string; body: string }[]> {
  const shell = spawn('sh', { env: { PATH: process.env.PATH }, stdio: ['pipe', 'pipe', 'ignore'] })
  let output = ''
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  shell.stdin.end(`${lines}\n`)
  await once(shell, 'close')
  return output
    .split(/^(?=HTTP\/1\.1 )/m)
    .filter((answer) => answer !== '')
    .map((answer) => {
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      return { status: Number(head.split(' ')[1]), head, body: body.trimEnd() }
    })
}
