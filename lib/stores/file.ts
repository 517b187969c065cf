import { createHash, randomUUID } from 'node:crypto'
import { constants, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { assertNonEmptyString } from '../options/assert.ts'

/** A store in the files of one directory, for `jwks.store`. All processes of one machine can share it. */
export interface FileStore {
  /** Returns a value, or undefined if there is none or its time has ended. */
  get(key: string): Promise<string | undefined>
  /**
   * Stores a value, or replaces the one that is stored.
   *
   * @param ttl - Milliseconds until the value is absent again.
   */
  set(key: string, value: string, ttl: number): Promise<void>
}

/** A larger file is not read. */
const maxBytes = 16 * 1024 * 1024
/** Milliseconds. A write takes less. */
const maxWriteTime = 60_000
/** A pipe would block a thread until somebody writes to it, and a symbolic link could lead to any file. Windows has neither flag, and `undefined` counts as 0. */
const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

/**
 * A store in the files of one directory, which is created when a value is stored. A value is written to a new file, which then gets the
 * name of the old one. So a reader finds the old or the new value, also after a write has failed or was interrupted.
 *
 * @throws {TypeError}
 */
export function fileStore(directory: string): FileStore {
  assertNonEmptyString('fileStore(directory)', directory)
  const root = resolve(directory)
  // A key may have characters that a file name can't have, and be longer than one.
  const fileOf = (key: string): string => join(root, createHash('sha256').update(key).digest('hex'))
  let cleaning: Promise<void> | undefined
  return {
    async get(key) {
      const text = await read(fileOf(key))
      const end = text?.indexOf('\n') ?? -1
      return end !== -1 && Date.now() < Number(text!.slice(0, end)) ? text!.slice(end + 1) : undefined
    },
    async set(key, value, ttl) {
      await mkdir(root, { recursive: true, mode: 0o700 })
      await (cleaning ??= removeInterruptedWrites(root).catch(() => {}))
      const file = fileOf(key)
      const newFile = `${file}.${randomUUID()}.tmp`
      try {
        await writeFile(newFile, `${Date.now() + ttl}\n${value}`, { flag: 'wx', mode: 0o600, flush: true })
        await rename(newFile, file)
      } finally {
        await rm(newFile, { force: true })
      }
    },
  }
}

/** Returns undefined if the file doesn't exist. */
async function read(file: string): Promise<string | undefined> {
  const handle = await open(file, readFlags).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!handle) return undefined
  try {
    const stats = await handle.stat()
    if (!stats.isFile() || stats.size > maxBytes) throw new Error('not a file of at most 16 MiB')
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** Removes what processes left that were killed while they wrote. */
async function removeInterruptedWrites(root: string): Promise<void> {
  const names = await readdir(root)
  const files = names.filter((name) => /^[\da-f]{64}\..+\.tmp$/.test(name)).map((name) => join(root, name))
  await Promise.all(
    files.map(async (file) => {
      // Another process may remove the file as well.
      const stats = await stat(file).catch(() => undefined)
      if (stats && Date.now() - stats.mtimeMs > maxWriteTime) await rm(file, { force: true })
    }),
  )
}
