import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'node:test'

const lib = join(import.meta.dirname, '../../lib')

// Those that hold types only are loaded by nobody else, and would count as not covered.
for (const file of readdirSync(lib, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.ts')) continue
  test(`lib/${file} loads by itself`, () => import(pathToFileURL(join(lib, file)).href))
}
