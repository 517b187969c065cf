import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { summarize, type Summary } from './statistics.ts'

// Run as bench/dist/speed/report.js.
const readme = new URL('../../README.md', import.meta.url)

export type Cell = string | number
export type Row = readonly Cell[]

/** A table in Markdown; the first column holds names, the others figures. */
export function table(head: readonly string[], rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join(
    '\n',
  )
}

/** Three significant digits, and all of those before the point. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

/** The median and, in brackets, the quartiles. */
export function spread(summary: Summary | undefined): string {
  if (!summary) return '-'
  const { median, low, high } = summary
  return `${figure(median)} (${figure(low)} to ${figure(high)})`
}

/** CPU time for a request, microseconds, of something and of its bare route. */
export interface Compared {
  readonly own: number
  readonly bare: number
}

export const comparedHead: readonly string[] = [
  '',
  'bare, CPU per request, µs',
  'CPU per request, µs',
  'added, µs',
  'by the bare route',
]

/** A row under that head. */
export function compared(name: string, pairs: readonly Compared[]): Row {
  return [
    name,
    spread(summarize(pairs.map(({ bare }) => bare))),
    spread(summarize(pairs.map(({ own }) => own))),
    spread(summarize(pairs.map(({ own, bare }) => own - bare))),
    spread(summarize(pairs.map(({ own, bare }) => own / bare))),
  ]
}

export function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

/** Prints a section. */
export function show(name: string, text: string): void {
  console.log(`\n## ${name}\n\n${text}`)
}

/** Writes a section into the README, between its markers. */
export async function write(name: string, text: string): Promise<void> {
  const begin = `<!-- ${name}: written by the benchmark -->`
  const end = `<!-- end of ${name} -->`
  const document = readFileSync(readme, 'utf8')
  const [before, rest] = document.split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`bench/README.md has no markers for ${name}`)
  const whole = `${before}${begin}\n\n${text}\n\n${end}${after}`
  const style = await resolveConfig(fileURLToPath(readme))
  writeFileSync(readme, await format(whole, { ...style, parser: 'markdown' }))
}
