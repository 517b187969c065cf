import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'node:test'

const lib = join(import.meta.dirname, '../../lib')

// No other test loads the modules that contain only types, so coverage would report them as not covered.
for (const file of readdirSync(lib, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.ts')) continue
  test(`lib/${file} loads by itself`, () => import(pathToFileURL(join(lib, file)).href))
}
