import type { FastifyServerOptions } from 'fastify'

/** Warnings and errors only, a plain line each: whoever tries the demo reads them, not a collector of logs. */
export const warnings: Extract<FastifyServerOptions['logger'], object> = {
  level: 'warn',
  base: null,
  timestamp: false,
  formatters: { level: (label) => ({ level: label }) },
  stream: {
    write(line: string) {
      const { level, msg, reqId: _, ...rest } = JSON.parse(line)
      console.error(`${level}: ${msg} ${JSON.stringify(rest)}`)
    },
  },
}
