import { relative } from 'node:path'
import { spec } from 'node:test/reporters'

// Prints a line for each finished file, then what node:test's own reporter prints without the tests that pass: failures, skipped
// tests with their reason, output of the tests, and the totals.
// This file is JavaScript because Node 20 loads a reporter before tsx.
export default async function* report(events) {
  const reporter = new spec()
  const counts = new Map()
  let files = 0
  let finished = 0
  for await (const event of events) {
    reporter.write(event)
    const text = reporter.read()
    if (text && (event.type !== 'test:pass' || isSkipped(event.data))) yield text
    if (isFile(event.data)) {
      if (event.type === 'test:enqueue') files += 1
      if (event.type === 'test:complete')
        yield line(event.data, counts.get(event.data.file), (finished += 1), files)
    } else if (event.type === 'test:complete' && event.data.details.type !== 'suite') {
      // Only Node 22 and later have `entryFile`.
      count(counts, event.data.entryFile ?? event.data.file, event.data)
    }
  }
  reporter.end()
  yield* reporter
}

/** Node reports each file as a test that has the name of the file. */
function isFile({ name, file, nesting }) {
  return nesting === 0 && name === file
}

function isSkipped({ skip }) {
  return skip !== undefined && !isFilteredOut({ skip })
}

/** Node 20 reports the tests that `--test-name-pattern` leaves out as skipped. */
function isFilteredOut({ skip }) {
  return skip === 'test name does not match pattern'
}

function count(counts, file, data) {
  const counted = counts.get(file) ?? { tests: 0, failed: 0 }
  counts.set(file, counted)
  if (isFilteredOut(data)) return
  counted.tests += 1
  if (!data.details.passed) counted.failed += 1
}

function line({ file, details }, { tests, failed } = { tests: 0, failed: 0 }, finished, files) {
  const isGood = details.passed
  const failures = failed > 0 ? `, ${failed} failed` : ''
  const seconds = (details.duration_ms / 1000).toFixed(1)
  const number = `${finished}/${files}`.padStart(2 * String(files).length + 1)
  return `${number} ${isGood ? '✔' : '✖'} ${relative('', file)}: ${tests} ${tests === 1 ? 'test' : 'tests'}${failures}, ${seconds} s\n`
}
