import type { Acceptance, Workload } from './accept.ts'
import { fastJwtAlone, ours, oursUncached, signatureAlone } from './field.ts'
import { spread, table, type Row } from './report.ts'
import { ratioOfMedians, summarize, type Summary } from './statistics.ts'

/** What was promised, and what these runs gave. */
export function promises(results: readonly Acceptance[]): string {
  return table(['', 'promised', 'measured'], results.flatMap(rowsOf))
}

function rowsOf(result: Acceptance): Row[] {
  const { algorithm, entries } = result
  const row = (what: string, promised: string, summary: Summary): Row => [
    `${algorithm}, ${what}`,
    promised,
    spread(summary),
  ]
  const byVerify = (what: string, promised: string, name: string): Row =>
    row(
      `${what}: added CPU by \`crypto.verify\` in a hook`,
      promised,
      ratioOfMedians(result.added('new', name), result.added('new', signatureAlone)),
    )
  const byOurs = (workload: Workload, rival: string): Summary =>
    ratioOfMedians(result.added(workload, rival), result.added(workload, ours))

  const present = [ours, oursUncached].filter((name) => entries.some((entry) => entry.name === name))
  const rivals = entries
    .map(({ name }) => name)
    .filter((name) => ![...present, signatureAlone, fastJwtAlone].includes(name))
  return [
    ...present.flatMap((name) => [
      row(
        `new token, ${name}: added CPU by \`crypto.verify\` in a loop`,
        'at most 1.6',
        ratioOfMedians(result.added('new', name), result.verify),
      ),
      byVerify(`new token, ${name}`, 'at most 1.6', name),
    ]),
    byVerify('new token, fast-jwt with one key', '', fastJwtAlone),
    ...rivals.map((rival) =>
      row(`new token: added CPU of ${rival} by ${ours}`, 'at least 1', byOurs('new', rival)),
    ),
    row(
      'seen token: CPU per request by that of the bare route',
      'at most 1.08',
      summarize(result.relative('seen', ours)),
    ),
    row('seen token: added CPU, µs', 'at most 2', summarize(result.added('seen', ours))),
    ...rivals.map((rival) =>
      row(`seen token: added CPU of ${rival} by ${ours}`, 'at least 10', byOurs('seen', rival)),
    ),
  ]
}
