import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../../..')
export const docs: string = join(root, 'docs')

/** The documents whose code comes from files that tests run. The code in upstream.md is for another project. */
export const documents: readonly string[] = [
  join(root, 'README.md'),
  ...readdirSync(docs)
    .filter((file) => file.endsWith('.md') && file !== 'upstream.md')
    .map((file) => join(docs, file)),
]
