import { availableParallelism } from 'node:os'
import { relative, resolve } from 'node:path'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'

/** The totals that node:test prints, in its order. */
const totalNames = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo', 'duration_ms']

interface Result {
  file: string
  totals: ReadonlyMap<string, number>
  isPassed: boolean
  /** What the reporter of node:test prints, without the tests that pass. */
  details: string
}

/**
 * Runs test files, each in a process, and prints a line for each when it has finished. `node --test` of Node 20 and 22 can't do that. It
 * reports the files in their order, so a slow file delays the results of all that follow.
 *
 * @returns Whether all tests passed.
 */
export async function runFiles(files: readonly string[], patterns: readonly string[] = []): Promise<boolean> {
  const start = performance.now()
  const results: Result[] = []
  const queue = files.values()
  const work = async (): Promise<void> => {
    for (const file of queue) {
      const result = await runFile(file, patterns)
      results.push(result)
      const number = `${results.length}/${files.length}`.padStart(2 * `${files.length}`.length + 1)
      process.stdout.write(`${number} ${summary(result)}\n${result.details}`)
    }
  }
  // One process more than there are cores, since some tests wait for timeouts.
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, work))

  const failed = results.filter(({ isPassed }) => !isPassed)
  console.log(['', ...failed.map(summary)].join('\n'))
  for (const name of totalNames) {
    const sum = results.reduce((total, { totals }) => total + totals.get(name)!, 0)
    console.log(`ℹ ${name} ${name === 'duration_ms' ? performance.now() - start : sum}`)
  }
  return failed.length === 0
}

async function runFile(file: string, patterns: readonly string[]): Promise<Result> {
  const reporter = new spec()
  const totals = new Map<string, number>()
  let details = ''
  const events = run({
    files: [resolve(file)],
    timeout: 300_000,
    testNamePatterns: patterns.map((pattern) => new RegExp(pattern)),
  })
  for await (const event of events as AsyncIterable<TestEvent>) {
    const total = totalOf(event)
    if (total) totals.set(...total)
    else reporter.write(event)
    const text = reporter.read() as Buffer | null
    if (text !== null && isShown(event)) details += text.toString()
  }
  reporter.end()
  // Node 20 prints the failures here.
  for await (const text of reporter) details += String(text)
  return {
    file: relative('', file),
    totals,
    isPassed: totals.get('fail') === 0 && totals.get('cancelled') === 0,
    details,
  }
}

function summary({ file, totals, isPassed }: Result): string {
  const tests = totals.get('tests')!
  const failed = isPassed ? '' : `, ${totals.get('fail')! + totals.get('cancelled')!} failed`
  const seconds = (totals.get('duration_ms')! / 1_000).toFixed(1)
  return `${isPassed ? '✔' : '✖'} ${file}: ${tests} ${tests === 1 ? 'test' : 'tests'}${failed}, ${seconds} s`
}

/** One of the totals, which are the only diagnostic messages that belong to no file. */
function totalOf({ type, data }: TestEvent): [name: string, total: number] | undefined {
  if (type !== 'test:diagnostic' || data.file !== undefined) return undefined
  const [, name, total] = /^(\w+) ([\d.]+)$/.exec(data.message) ?? []
  return name === undefined ? undefined : [name, Number(total)]
}

/** The failures are printed at the end of a file, so the events of failed tests are not shown. */
function isShown({ type, data }: TestEvent): boolean {
  if (type === 'test:fail') return false
  if (type !== 'test:pass') return true
  // Node 20 reports the tests that a pattern leaves out as skipped.
  return data.skip !== undefined && data.skip !== 'test name does not match pattern'
}
