import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { counterparts } from './migrating/counterparts.ts'

/** The rows of the tables, which start with the counterpart or say that there is none, and why. */
const document = readFileSync(new URL('../../docs/migrating.md', import.meta.url), 'utf8')
const rows = Array.from(document.matchAll(/^\| (?!there |-)(.+?) +\| (.+?) +\|$/gm), ([, there, here]) => ({
  there,
  here: /^(?:`([^`]+)`|None: )/.exec(here!),
}))
const named = new Set(rows.flatMap(({ here }) => here?.[1] ?? []))

test('every row has a counterpart that is tested, or the reason why there is none', (t) => {
  t.assert.notEqual(rows.length, 0)
  t.assert.deepEqual(
    rows.filter(({ here }) => here === null),
    [],
  )
  t.assert.deepEqual([...named].toSorted(), Object.keys(counterparts).toSorted())
})

suite('what the options of other packages have become', () => {
  for (const [name, check] of Object.entries(counterparts)) test(name, check)
})
