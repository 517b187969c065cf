import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { suite, test } from 'node:test'
import { docs, documents } from './documents.ts'
import { codeBlocks, filled } from './snippets.ts'

for (const path of documents) {
  suite(basename(path), () => {
    const document = readFileSync(path, 'utf8')

    test('its code is what stands in the files that it names', (t) => {
      t.assert.equal(document, filled(document, dirname(path)))
    })

    test('its code names a file in every block', (t) => {
      const nameless = codeBlocks(document).filter(({ source }) => source === undefined)
      t.assert.deepEqual(nameless, [])
    })

    test('its links lead somewhere', (t) => {
      const links = Array.from(document.matchAll(/\]\((?!https:)([^)#\s]*)#?([^)\s]*)\)/g))
      t.assert.notEqual(links.length, 0)
      const broken = links.filter(([, file, heading]) => {
        const target = file === '' ? path : resolve(dirname(path), file!)
        return !existsSync(target) || !(heading === '' || anchors(target).includes(heading!))
      })
      t.assert.deepEqual(
        broken.map(([link]) => link),
        [],
      )
    })
  })
}

test('every example is in a document, and a test runs it', (t) => {
  const tests = resolve(docs, '../test')
  const imports = new Set(
    readdirSync(tests, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap(
        (file) =>
          readFileSync(join(tests, file), 'utf8').match(/docs\/examples\/[\w-]+\.c?[jt]s(?=')/g) ?? [],
      )
      .map((name) => basename(name)),
  )
  const shown = new Set(
    documents
      .flatMap((path) => codeBlocks(readFileSync(path, 'utf8')))
      .map(({ source = '' }) => basename(source.split('#')[0]!)),
  )
  for (const example of readdirSync(join(docs, 'examples'))) {
    t.assert.equal(shown.has(example), true, `${example} is in no document`)
    const isRun = imports.has(example) || isImported(example)
    t.assert.equal(isRun, true, `${example} is run by no test`)
  }
})

/** The headings of a document, as GitHub names them in links. */
function anchors(path: string): string[] {
  return Array.from(readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** By another example. */
function isImported(example: string): boolean {
  const directory = join(docs, 'examples')
  return readdirSync(directory).some((file) =>
    readFileSync(join(directory, file), 'utf8').includes(`'./${example}'`),
  )
}
