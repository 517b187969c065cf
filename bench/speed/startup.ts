import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { megabytes, spread, table } from './report.ts'
import type { Size } from './size.ts'
import { shuffled, summarize } from './statistics.ts'

const execute = promisify(execFile)

// Run as bench/dist/speed/startup.js.
const bench = fileURLToPath(new URL('../..', import.meta.url))
const plugin = new URL('../../../dist/index.js', import.meta.url).href

/** The imports of a program, by the name of its row. */
const programs: Readonly<Record<string, readonly string[]>> = {
  'Node alone': [],
  fastify: ['fastify'],
  'fastify-jwks-auth, without fastify': [plugin],
  'fastify, fastify-jwks-auth': ['fastify', plugin],
  'fastify, @fastify/jwt, get-jwks': ['fastify', '@fastify/jwt', 'get-jwks'],
  'fastify, fastify-jwt-jwks': ['fastify', 'fastify-jwt-jwks'],
  'fastify, jose': ['fastify', 'jose'],
  'fastify, aws-jwt-verify': ['fastify', 'aws-jwt-verify'],
  express: ['express'],
  'express, express-jwt, jwks-rsa': ['express', 'express-jwt', 'jwks-rsa'],
  'express, express-oauth2-jwt-bearer': ['express', 'express-oauth2-jwt-bearer'],
}

interface Start {
  /** The time of all imports. */
  readonly milliseconds: number
  /** Memory after the imports, in bytes. */
  readonly rss: number
  readonly heap: number
}

/** The time and memory that imports take, each time in a new process. */
export async function coldStart(size: Size): Promise<string> {
  const starts = new Map<string, Start[]>(Object.keys(programs).map((name) => [name, []]))
  for (let round = 0; round < size.imports; round += 1) {
    for (const name of shuffled(Object.keys(programs))) starts.get(name)!.push(await start(programs[name]!))
  }
  const rows = Array.from(starts, ([name, all]) => [
    name,
    spread(summarize(all.map(({ milliseconds }) => milliseconds))),
    megabytes(summarize(all.map(({ rss }) => rss)).median),
    megabytes(summarize(all.map(({ heap }) => heap)).median),
  ])
  return table(['imported', 'time, ms', 'RSS afterwards, MiB', 'heap afterwards, MiB'], rows)
}

async function start(modules: readonly string[]): Promise<Start> {
  const program = `
    const begin = performance.now()
    for (const name of ${JSON.stringify(modules)}) await import(name)
    const milliseconds = performance.now() - begin
    gc()
    const { rss, heapUsed } = process.memoryUsage()
    console.log(JSON.stringify({ milliseconds, rss, heap: heapUsed }))`
  const args = ['--expose-gc', '--input-type=module', '--eval', program]
  const { stdout } = await execute(process.execPath, args, { cwd: bench })
  return JSON.parse(stdout) as Start
}
