import { spec } from 'node:test/reporters'

// The report of node:test without the tests that pass: failures, what is left out and why, what the tests print, and the
// numbers at the end.
// JavaScript, since Node 20 loads it before tsx.
export default async function* report(events) {
  const reporter = new spec()
  for await (const event of events) {
    reporter.write(event)
    const text = reporter.read()
    if (text && (event.type !== 'test:pass' || isLeftOut(event.data))) yield text
  }
  reporter.end()
  yield* reporter
}

/** Not by --test-name-pattern, that is. */
function isLeftOut({ skip }) {
  return skip !== undefined && skip !== 'test name does not match pattern'
}
