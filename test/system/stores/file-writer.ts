import { fileStore } from '../../../lib/stores/file.ts'

/** Stores values of one repeated letter under the same key, without an end. It sends a message after each one. */
const [directory, letter, length] = process.argv.slice(2) as [string, string, string]
const store = fileStore(directory)
for (;;) {
  const error = await store.set('key', letter.repeat(Number(length)), 60_000).then(
    () => undefined,
    (reason: NodeJS.ErrnoException) => reason.code,
  )
  process.send!(error ?? 'stored')
}
