import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fileStore } from '../../../lib/stores/file.ts'

const writer = fileURLToPath(new URL('file-writer.ts', import.meta.url))
const skip = process.platform === 'win32' && 'Windows has no such shell'

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'file-store-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Starts a process that stores values of one letter, and waits until it has stored one. */
async function startWriter(directory: string, letter: string, length: number): Promise<ChildProcess> {
  const child = fork(writer, [directory, letter, String(length)], { execArgv: ['--import', 'tsx'] })
  await once(child, 'message')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL'))
    await once(child, 'close')
}

/** The letter and the length of a value, which holds one letter only. */
function contentOf(value: string | undefined): [letter: string | undefined, length: number | undefined] {
  const letters = [...new Set(value)]
  return [letters.length === 1 ? letters[0] : `mixed: ${letters.join()}`, value?.length]
}

suite('a store in files that real processes use', () => {
  test('while two processes write the same key, each read is a complete value of one of them', async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const length = 200_000
    const children = await Promise.all(['a', 'b'].map((letter) => startWriter(directory, letter, length)))
    try {
      const store = fileStore(directory)
      const seen = new Set<string | undefined>()
      for (let reads = 0; reads < 200 || seen.size < 2; reads += 1) {
        const [letter, size] = contentOf(await store.get('key'))
        t.assert.equal(size, length)
        seen.add(letter)
      }
      t.assert.deepEqual(seen, new Set(['a', 'b']))
    } finally {
      // Before the directory is removed: a process that writes would fill it again.
      await Promise.all(children.map(kill))
    }
  })

  test('a process that is killed in the middle of a write leaves the old value', async (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const store = fileStore(directory)
    const length = 10_000_000
    const isInterrupted = (): boolean => readdirSync(directory).some((name) => name.endsWith('.tmp'))
    while (!isInterrupted()) {
      const child = await startWriter(directory, 'a', length)
      const watcher = watch(directory)
      await once(watcher, 'change')
      await kill(child)
      watcher.close()
    }
    t.assert.deepEqual(contentOf(await store.get('key')), ['a', length])
    await store.set('key', 'new', 60_000)
    t.assert.equal(await store.get('key'), 'new')
  })

  test(
    'on a full disk the old value stays, and the new one leaves no file behind',
    { skip },
    async (t: TestContext) => {
      const directory = temporaryDirectory(t)
      const store = fileStore(directory)
      await store.set('key', 'old', 60_000)
      // A limit of file sizes fails a write as a full disk does: after a part of it is written.
      const limited = `trap '' XFSZ; ulimit -f 100; exec "${process.execPath}" --import tsx "${writer}" "${directory}" a 1000000`
      const child = spawn('sh', ['-c', limited], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      t.after(() => kill(child))
      t.assert.deepEqual((await once(child, 'message'))[0], 'EFBIG')
      await kill(child)
      t.assert.equal(await store.get('key'), 'old')
      t.assert.equal(readdirSync(directory).filter((name) => !name.endsWith('.tmp')).length, 1)
    },
  )
})
