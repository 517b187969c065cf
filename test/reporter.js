import { spec } from 'node:test/reporters'

// The report of node:test without the tests that pass: failures, what the tests print, and the numbers at the end.
// JavaScript, since Node 20 loads it before tsx.
export default async function* report(events) {
  const reporter = new spec()
  for await (const event of events) {
    reporter.write(event)
    const text = reporter.read()
    if (text && event.type !== 'test:pass') yield text
  }
  reporter.end()
  yield* reporter
}
