import type { FastifyServerOptions } from 'fastify'

/** Prints warnings and errors only, each as one readable line, because people read the demo's log in a terminal. */
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
