import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { type JwksAuthOptions } from '../../lib/index.ts'
import { call } from './app.ts'

/** A line of the log, without what every line has. */
export interface Line {
  level: number
  msg: string
  [detail: string]: unknown
}

/** Starts an application. Collects the log lines of the plugin, which are those that belong to no request. */
export async function start(
  t: TestContext,
  options: object,
): Promise<{ app: FastifyInstance; lines: Line[]; text: () => string }> {
  const lines: Line[] = []
  const stream = {
    write(line: string) {
      const { time: _time, pid: _pid, hostname: _hostname, ...rest } = JSON.parse(line) as Line
      if (!('req' in rest || 'res' in rest || 'reqId' in rest)) lines.push(rest)
    },
  }
  const app = Fastify({ logger: { level: 'info', stream } })
  t.after(() => app.close())
  await app.register(jwksAuth, options as JwksAuthOptions)
  app.get('/secured', { onRequest: [app.authenticate] }, async () => 'ok')
  return { app, lines, text: () => JSON.stringify(lines) }
}

/** Sends tokens, each of which is answered 401. */
export async function refuse(t: TestContext, app: FastifyInstance, ...tokens: string[]): Promise<void> {
  for (const token of tokens) t.assert.equal((await call(app, token)).statusCode, 401)
}
