import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve, sep } from 'node:path'

// Runs the test files of some tiers: `node --import tsx test/run.ts unit,integration`. Further arguments are flags of node:test and
// parts of paths: npm test -- unit/jwks --test-name-pattern=removed
// The files are found here because `node --test` of Node 20 knows neither globs nor .ts.
const [tierNames, ...args] = process.argv.slice(2)
const tiers = tierNames!.split(',')
const flags = args.filter((arg) => arg.startsWith('-'))
const wanted = args.filter((arg) => !flags.includes(arg))

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .map((file) => join('test', file))
  .filter((file) => file.endsWith('.test.ts') && tiers.includes(file.split(sep)[1]!))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.split(sep).join('/').includes(part)))
  .toSorted()

// `node --test` without files would look for its own.
if (files.length === 0) throw new Error('no test file matches')
console.log(`${files.length} test ${files.length === 1 ? 'file' : 'files'}, ${tiers.join(' and ')}\n`)

// The default leaves one core idle: half of the machine where there are two.
const concurrency = `--test-concurrency=${availableParallelism()}`
const reporter = `--test-reporter=${new URL('reporter.js', import.meta.url).href}`
const runner = ['--test', '--test-timeout=300000', concurrency, reporter]
// Mocked timers are experimental in Node 20, and each test file would print a warning.
const node = ['--import', 'tsx', '--disable-warning=ExperimentalWarning']
const { status } = spawnSync(
  process.execPath,
  [...node, ...runner, ...flags, ...files.map((file) => resolve(file))],
  { stdio: 'inherit' },
)
process.exitCode = status ?? 1
