import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, sep } from 'node:path'

// The test runner of Node 20 knows neither globs nor .ts, so the files are found here. Arguments narrow them down:
// npm test -- http/challenge --test-name-pattern=quoted
const args = process.argv.slice(2)
const flags = args.filter((arg) => arg.startsWith('-'))
const tiers = args.filter((arg) => ['unit', 'integration', 'system'].includes(arg))
const wanted = args.filter((arg) => !flags.includes(arg) && !tiers.includes(arg))

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .map((file) => join('test', file))
  .filter((file) => file.endsWith('.test.ts') && tiers.includes(file.split(sep)[1]!))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.split(sep).join('/').includes(part)))
  .toSorted()

// Without files the test runner would look for its own.
if (files.length === 0) throw new Error('no test file matches')

// The default leaves one core idle, which of two is half.
const concurrency = `--test-concurrency=${availableParallelism()}`
const reporter = `--test-reporter=${new URL('reporter.js', import.meta.url).href}`
const runner = ['--test', '--test-timeout=300000', concurrency, reporter]
// Mocked timers are experimental in Node 20, and every test file would say so.
const node = ['--import', 'tsx', '--disable-warning=ExperimentalWarning']
const { status } = spawnSync(process.execPath, [...node, ...runner, ...flags, ...files], { stdio: 'inherit' })
process.exitCode = status ?? 1
