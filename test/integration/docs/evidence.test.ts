import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { docs } from './documents.ts'

// The tests that docs/security.md and docs/conformance.md name are there, in the files that they are said to be in.

const cited = /\[[\w-]+\]\((\.\.\/test\/[\w./-]+)\) “([^”]+)”/g

for (const name of ['security.md', 'conformance.md']) {
  const document = readFileSync(join(docs, name), 'utf8')

  suite(name, () => {
    for (const [, path, title] of document.matchAll(cited)) {
      test(`names a test that is there: ${title}`, (t: TestContext) => {
        const file = resolve(docs, path!)
        t.assert.equal(existsSync(file) && isTitleIn(readFileSync(file, 'utf8'), title!), true)
      })
    }

    test('names a test in every row', (t: TestContext) => {
      const rows = document.split('\n').filter((line) => line.startsWith('| ') && !isHead(line))
      t.assert.notEqual(rows.length, 0)
      const bare = rows.filter((row) => row.search(cited) === -1 && !/\| — *\|$/.test(row))
      t.assert.deepEqual(bare, [])
    })
  })
}

test('every section of RFC 8725 has a row, in its order', (t) => {
  const document = readFileSync(join(docs, 'security.md'), 'utf8')
  const sections = Array.from(document.matchAll(/^\| (3\.\d+) /gm), ([, section]) => section)
  t.assert.deepEqual(
    sections,
    Array.from({ length: 12 }, (_, index) => `3.${index + 1}`),
  )
})

function isHead(line: string): boolean {
  return /^\| (?:-|section|advisory|threat|demand)/.test(line)
}

/** As one literal of the file, be it a title or what a table puts into one; … stands for what is put there. */
function isTitleIn(source: string, title: string): boolean {
  const pieces = title.split('…').map((piece) => piece.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`['"\`]${pieces.join('[^\\n]*')}['"\`]`).test(source)
}
