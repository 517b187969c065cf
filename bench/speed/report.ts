import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import type { Summary } from './statistics.ts'

// Run as bench/dist/speed/report.js.
const page = new URL('../../RESULTS.md', import.meta.url)

export type Row = readonly (string | number)[]

/** A table in Markdown. The first column holds names, the others hold figures. */
export function table(head: readonly string[], rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

/** Three significant digits, and all digits before the point. */
export function figure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

/** The median and, in brackets, the quartiles. */
export function spread({ median, low, high }: Summary): string {
  return `${figure(median)} (${figure(low)} to ${figure(high)})`
}

export function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

/** Prints a section. */
export function show(name: string, text: string): void {
  console.log(`\n## ${name}\n\n${text}`)
}

/** Writes a section into RESULTS.md, between its markers. */
export async function write(name: string, text: string): Promise<void> {
  const begin = `<!-- ${name}: written by the benchmark -->`
  const end = `<!-- end of ${name} -->`
  const document = readFileSync(page, 'utf8')
  const [before, rest] = document.split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`bench/RESULTS.md has no markers for ${name}`)
  const whole = `${before}${begin}\n\n${text}\n\n${end}${after}`
  const style = await resolveConfig(fileURLToPath(page))
  writeFileSync(page, await format(whole, { ...style, parser: 'markdown' }))
}
