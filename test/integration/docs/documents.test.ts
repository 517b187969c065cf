import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { docs, documents } from './documents.ts'
import { codeBlocks, filled } from './snippets.ts'

/** The documents agree with the code: examples, links, log lines, and the tests that they cite. */

const read = (name: string): string => readFileSync(join(docs, name), 'utf8')

for (const path of documents) {
  const name = basename(path)
  suite(name, () => {
    const document = readFileSync(path, 'utf8')

    test(`the code in ${name} is the code of the files that it names`, (t) => {
      t.assert.equal(document, filled(document, dirname(path)))
    })

    test(`every code block in ${name} names a file`, (t) => {
      const nameless = codeBlocks(document).filter(({ source }) => source === undefined)
      t.assert.deepEqual(nameless, [])
    })

    test(`every link in ${name} leads to an existing file and heading`, (t) => {
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

test('README.md shows a small picture of the demo in light and dark, which is not in the package', (t) => {
  const shown = Array.from(
    readFileSync(documents[0]!, 'utf8').matchAll(/(?:src|srcset)="([^"]+)"/g),
    ([, path]) => path!,
  )
  t.assert.deepEqual(shown, ['docs/images/demo-dark.webp', 'docs/images/demo-light.webp'])
  for (const path of shown) {
    const { size } = statSync(resolve(docs, '..', path))
    t.assert.equal(size < 100_000, true, `${path}: ${size} bytes`)
  }
  const { files } = JSON.parse(read('../package.json')) as { files: string[] }
  t.assert.equal(files.includes('!docs/images'), true)
})

test('every example is in a document, and a test runs it', (t) => {
  const tests = resolve(docs, '../test')
  const imports = new Set(
    readdirSync(tests, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        Array.from(
          readFileSync(join(tests, file), 'utf8').matchAll(/docs\/examples\/([\w/-]+\.c?[jt]s)(?=')/g),
          ([, name]) => name!,
        ),
      ),
  )
  const shown = new Set(
    documents
      .flatMap((path) => codeBlocks(readFileSync(path, 'utf8')))
      .map(({ source = '' }) => source.split('#')[0]!.replace(/^(docs\/)?examples\//, '')),
  )
  for (const example of examples()) {
    t.assert.equal(shown.has(example), true, `${example} is in no document`)
    const isRun = imports.has(example) || isUsedByExample(example)
    t.assert.equal(isRun, true, `${example} is run by no test`)
  }
})

test('docs/troubleshooting.md explains log lines that the library writes', (t) => {
  const lib = resolve(docs, '../lib')
  const code = readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(lib, file), 'utf8'))
    .join('\n')
  const explained = Array.from(read('troubleshooting.md').matchAll(/\*\*`(.+?)`\*\*/g), ([, line]) => line!)
  t.assert.notEqual(explained.length, 0)
  t.assert.deepEqual(
    explained.filter((line) => !code.includes(line)),
    [],
  )
})

test('docs/testing.md names every member and every option of the test issuer', async (t) => {
  const document = read('testing.md')
  await using issuer = await createTestIssuer()
  const prototype = Object.getPrototypeOf(issuer) as object
  const members = [...Object.keys(issuer), ...Object.getOwnPropertyNames(prototype)].filter(
    (name) => name !== 'constructor',
  )
  t.assert.notEqual(members.length, 0)
  const options = 'audience, algorithm, secret, key, path, port, header, expiresIn, forged, keepOld, kid'
  const missing = [...members, ...options.split(', ')].filter(
    (name) => !new RegExp(`\`(issuer\\.)?${name}\\b`).test(document),
  )
  t.assert.deepEqual(missing, [])
})

const cited = /\[[\w-]+\]\((\.\.\/test\/[\w./-]+)\) “([^”]+)”/g

for (const name of ['security.md', 'conformance.md']) {
  const document = read(name)

  suite(`the tests that ${name} cites`, () => {
    for (const [, path, title] of document.matchAll(cited)) {
      test(`${name} cites an existing test: ${title}`, (t: TestContext) => {
        const file = resolve(docs, path!)
        t.assert.equal(existsSync(file) && isTitleIn(readFileSync(file, 'utf8'), title!), true)
      })
    }

    test(`every row of ${name} cites a test`, (t: TestContext) => {
      const [start] = document.split('<!-- measured: begin -->')
      const [, rest = ''] = document.split('<!-- measured: end -->')
      const rows = `${start}${rest}`.split('\n').filter((line) => line.startsWith('| ') && !isHead(line))
      t.assert.notEqual(rows.length, 0)
      const bare = rows.filter((row) => row.search(cited) === -1 && !/\| — *\|$/.test(row))
      t.assert.deepEqual(bare, [])
    })
  })
}

test('docs/security.md has a row for every section of RFC 8725, in order', (t) => {
  const sections = Array.from(read('security.md').matchAll(/^\| (3\.\d+) /gm), ([, section]) => section)
  t.assert.deepEqual(
    sections,
    Array.from({ length: 12 }, (_, index) => `3.${index + 1}`),
  )
})

/** The headings of a document in the form that GitHub uses in links. */
function anchors(path: string): string[] {
  return Array.from(readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** The files of docs/examples/, with the names of their directories. */
function examples(): string[] {
  return readdirSync(join(docs, 'examples'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.c?[jt]s$/.test(file),
  )
}

/** Whether another example imports the file, or loads its directory. */
function isUsedByExample(example: string): boolean {
  return examples().some((file) => {
    const source = readFileSync(join(docs, 'examples', file), 'utf8')
    return (
      source.includes(`'./${example}'`) ||
      (dirname(example) !== '.' && source.includes(`'${basename(dirname(example))}'`))
    )
  })
}

/** A row of column titles, or the line below it. */
function isHead(line: string): boolean {
  return /^\| (?:-|section|advisory|threat|demand|input)/.test(line)
}

/** Whether a file contains a title as a literal: the title itself, or the part of it that a table holds. "…" matches any text. */
function isTitleIn(source: string, title: string): boolean {
  const pieces = title.split('…').map((piece) => piece.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`['"\`]${pieces.join('[^\\n]*')}['"\`]`).test(source)
}
