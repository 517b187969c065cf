import type { Acceptance, Compare, Workload } from './accept.ts'
import { fastify, fastJwtAlone, ours, oursUncached, signatureAlone } from './field.ts'
import { spread, table, type Row } from './report.ts'

/** What was promised, and what these runs gave. */
export function promises(results: readonly Acceptance[]): string {
  return table(['', 'promised', 'measured'], results.flatMap(rowsOf))
}

function rowsOf(result: Acceptance): Row[] {
  const { algorithm, entries } = result
  const added = (workload: Workload, name: string): Compare => {
    const entry = entries.find((one) => one.name === name)!
    return (cpu) => cpu(workload, name) - cpu(workload, entry.bare)
  }
  /** How many times what the other adds is of what this plugin adds, which may be hard to tell from nothing. */
  const byOurs = (workload: Workload, other: string): Compare => {
    const [theirs, these] = [added(workload, other), added(workload, ours)]
    return (cpu, verify) => theirs(cpu, verify) / Math.max(these(cpu, verify), 0.01)
  }
  const row = (what: string, promised: string, compare: Compare): Row => [
    `${algorithm}, ${what}`,
    promised,
    spread(result.summary(compare)),
  ]

  const present = [ours, oursUncached].filter((name) => entries.some((entry) => entry.name === name))
  const rivals = entries
    .map(({ name }) => name)
    .filter((name) => ![...present, signatureAlone, fastJwtAlone].includes(name))
  return [
    ...present.flatMap((name) => [
      row(`new token, ${name}: added CPU by \`crypto.verify\` in a loop`, 'at most 1.6', (cpu, verify) => {
        return added('new', name)(cpu, verify) / verify
      }),
      row(`new token, ${name}: added CPU by \`crypto.verify\` in a hook`, 'at most 1.6', (cpu, verify) => {
        return added('new', name)(cpu, verify) / added('new', signatureAlone)(cpu, verify)
      }),
    ]),
    row('new token, fast-jwt with one key: added CPU by `crypto.verify` in a hook', '', (cpu, verify) => {
      return added('new', fastJwtAlone)(cpu, verify) / added('new', signatureAlone)(cpu, verify)
    }),
    ...rivals.map((rival) =>
      row(`new token: added CPU of ${rival} by ${ours}`, 'at least 1', byOurs('new', rival)),
    ),
    row('seen token: CPU per request by that of the bare route', 'at most 1.08', (cpu) => {
      return cpu('seen', ours) / cpu('seen', fastify)
    }),
    row('seen token: added CPU, µs', 'at most 2', added('seen', ours)),
    ...rivals.map((rival) =>
      row(`seen token: added CPU of ${rival} by ${ours}`, 'at least 10', byOurs('seen', rival)),
    ),
  ]
}
