import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { fileStore } from '../../../lib/stores/file.ts'

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'file-store-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const nameOf = (key: string): string => createHash('sha256').update(key).digest('hex')
const skip = process.platform === 'win32' && 'Windows has neither modes nor named pipes'

suite('a store in files', () => {
  test('a value is read as it was stored, by another store in the same directory too', async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    await fileStore(directory).set('key', 'first', 60_000)
    await fileStore(directory).set('key', 'line\nü\u0000', 60_000)
    await fileStore(directory).set('other', '', 60_000)
    t.assert.equal(await fileStore(directory).get('key'), 'line\nü\u0000')
    t.assert.equal(await fileStore(directory).get('other'), '')
    t.assert.equal(await fileStore(directory).get('absent'), undefined)
  })

  test('a value is absent when its time has ended', async (t: TestContext) => {
    const store = fileStore(temporaryDirectory(t))
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    await store.set('key', 'value', 5_000)
    t.mock.timers.setTime(1_004_999)
    t.assert.equal(await store.get('key'), 'value')
    t.mock.timers.setTime(1_005_000)
    t.assert.equal(await store.get('key'), undefined)
  })

  for (const key of ['../../etc/passwd', '/', '', 'a\u0000b', 'k'.repeat(10_000), 'KEY', 'key']) {
    test(`the key ${JSON.stringify(key.slice(0, 20))} is a file of the directory itself`, async (t: TestContext) => {
      const directory = temporaryDirectory(t)
      const store = fileStore(directory)
      await store.set(key, key, 60_000)
      t.assert.equal(await store.get(key), key)
      t.assert.deepEqual(readdirSync(directory), [nameOf(key)])
    })
  }

  test('a relative directory stays the same when the working directory changes', async (t: TestContext) => {
    const [here, there] = [temporaryDirectory(t), temporaryDirectory(t)]
    const before = process.cwd()
    t.after(() => process.chdir(before))
    process.chdir(here)
    const store = fileStore('keys')
    process.chdir(there)
    await store.set('key', 'value', 60_000)
    t.assert.deepEqual([readdirSync(here), readdirSync(there)], [['keys'], []])
  })

  test(
    'only the user of the process can read the files and the directory that a store creates',
    { skip },
    async (t) => {
      const directory = join(temporaryDirectory(t), 'a/b')
      await fileStore(directory).set('key', 'value', 60_000)
      t.assert.equal(statSync(directory).mode & 0o777, 0o700)
      t.assert.equal(statSync(join(directory, nameOf('key'))).mode & 0o777, 0o600)
    },
  )

  test('a missing directory has no values, and is created each time a value is stored', async (t: TestContext) => {
    const directory = join(temporaryDirectory(t), 'keys')
    const store = fileStore(directory)
    t.assert.equal(await store.get('key'), undefined)
    for (const value of ['first', 'second']) {
      await store.set('key', value, 60_000)
      t.assert.equal(await store.get('key'), value)
      rmSync(directory, { recursive: true })
    }
  })

  test('a directory that can not be created rejects, and works once it can', async (t: TestContext) => {
    const directory = join(temporaryDirectory(t), 'keys')
    writeFileSync(directory, 'a file')
    const store = fileStore(directory)
    await t.assert.rejects(store.set('key', 'value', 60_000), { code: 'EEXIST' })
    await t.assert.rejects(store.get('key'), { code: 'ENOTDIR' })
    rmSync(directory)
    await store.set('key', 'value', 60_000)
    t.assert.equal(await store.get('key'), 'value')
  })

  test('a value that can not replace the old one leaves no file behind', async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    mkdirSync(join(directory, nameOf('key')))
    await t.assert.rejects(fileStore(directory).set('key', 'value', 60_000), { code: 'EISDIR' })
    t.assert.deepEqual(readdirSync(directory), [nameOf('key')])
  })

  test('files of interrupted writes are removed after a minute, and no other files', async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const [old, recent] = ['old', 'recent'].map((id) => `${nameOf('key')}.${id}.tmp`) as [string, string]
    for (const name of [old, recent, 'notes.tmp']) writeFileSync(join(directory, name), 'half')
    const twoMinutesAgo = Date.now() / 1000 - 120
    for (const name of [old, 'notes.tmp']) utimesSync(join(directory, name), twoMinutesAgo, twoMinutesAgo)
    await fileStore(directory).set('key', 'value', 60_000)
    t.assert.deepEqual(readdirSync(directory).toSorted(), [nameOf('key'), recent, 'notes.tmp'].toSorted())
  })

  test('what a store can not remove does not keep it from storing', { skip }, async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const [link, folder] = ['link', 'folder'].map((id) => join(directory, `${nameOf('key')}.${id}.tmp`))
    symlinkSync(join(directory, 'absent'), link!)
    mkdirSync(folder!)
    utimesSync(folder!, 0, 0)
    await fileStore(directory).set('key', 'value', 60_000)
    t.assert.equal(await fileStore(directory).get('key'), 'value')
  })

  for (const [what, text] of Object.entries({
    empty: '',
    'without a time': 'value',
    'with a wrong time': 'soon\nvalue',
  })) {
    test(`a file that is ${what} has no value`, async (t: TestContext) => {
      const directory = temporaryDirectory(t)
      writeFileSync(join(directory, nameOf('key')), text)
      t.assert.equal(await fileStore(directory).get('key'), undefined)
    })
  }

  test('a file that is too large is not read', async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const store = fileStore(directory)
    await store.set('key', 'value', 60_000)
    truncateSync(join(directory, nameOf('key')), 16 * 1024 * 1024)
    t.assert.ok((await store.get('key'))!.startsWith('value'))
    truncateSync(join(directory, nameOf('key')), 16 * 1024 * 1024 + 1)
    await t.assert.rejects(store.get('key'), { message: 'not a file of at most 16 MiB' })
  })

  test('a named pipe and a symbolic link are not read', { skip }, async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const store = fileStore(directory)
    execFileSync('mkfifo', [join(directory, nameOf('pipe'))])
    await t.assert.rejects(store.get('pipe'), { message: 'not a file of at most 16 MiB' })
    await store.set('key', 'value', 60_000)
    symlinkSync(join(directory, nameOf('key')), join(directory, nameOf('link')))
    await t.assert.rejects(store.get('link'), { code: 'ELOOP' })
  })

  test('stores that write the same key at the same time leave one complete value', async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const values = Array.from({ length: 10 }, (_, index) => String(index).repeat(100_000))
    await Promise.all(values.map((value) => fileStore(directory).set('key', value, 60_000)))
    t.assert.ok(values.includes((await fileStore(directory).get('key'))!))
    t.assert.deepEqual(readdirSync(directory), [nameOf('key')])
  })

  for (const directory of ['', undefined, 1]) {
    test(`fileStore(${JSON.stringify(directory)}) is a TypeError`, (t: TestContext) => {
      t.assert.throws(() => fileStore(directory as string), {
        name: 'TypeError',
        message: 'fastify-jwks-auth: option "fileStore(directory)" must be a non-empty string',
      })
    })
  }

  test('making a store touches no file', (t: TestContext) => {
    const directory = join(temporaryDirectory(t), 'keys')
    fileStore(directory)
    t.assert.equal(existsSync(directory), false)
  })

  test('a stored file has the end of its time and the value', async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    t.mock.timers.enable({ apis: ['Date'], now: 1_000 })
    await fileStore(directory).set('key', 'value', 500)
    t.assert.equal(readFileSync(join(directory, nameOf('key')), 'utf8'), '1500\nvalue')
  })
})
