import { readdirSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { parseArgs } from 'node:util'
import { runFiles } from './runner.ts'

// Runs the test files of some tiers: `node --import tsx test/run.ts unit,integration`. Further arguments choose files by a part of
// their path, and tests by their title: npm test -- unit/jwks --test-name-pattern=removed
const { values, positionals } = parseArgs({
  options: { 'test-name-pattern': { type: 'string', multiple: true } },
  allowPositionals: true,
})
const [tierNames, ...parts] = positionals
const tiers = tierNames!.split(',')

// The test runner of Node 20 knows neither globs nor .ts.
const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  // The packages of test/peers have tests of their own.
  .filter((file) => !file.includes('node_modules'))
  .map((file) => join('test', file))
  .filter((file) => file.endsWith('.test.ts') && tiers.includes(file.split(sep)[1]!))
  .filter((file) => parts.length === 0 || parts.some((part) => file.split(sep).join('/').includes(part)))
  // The large files first, so that no slow one runs alone at the end.
  .toSorted((one, other) => statSync(other).size - statSync(one).size)

if (files.length === 0) throw new Error('no test file matches')
console.log(`${files.length} test ${files.length === 1 ? 'file' : 'files'}, ${tiers.join(' and ')}\n`)

if (!(await runFiles(files, values['test-name-pattern']))) process.exitCode = 1
