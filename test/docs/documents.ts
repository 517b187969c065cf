import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const docs: string = resolve(import.meta.dirname, '../../docs')

/** The documents whose code is that of files which tests run; that of one is for another project. */
export const documents: readonly string[] = readdirSync(docs)
  .filter((file) => file.endsWith('.md') && file !== 'upstream.md')
  .map((file) => join(docs, file))
