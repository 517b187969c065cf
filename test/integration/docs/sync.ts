import { readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { documents } from './documents.ts'
import { filled } from './snippets.ts'

// Brings the code in the documents up to date with the files that it is from.
for (const path of documents) writeFileSync(path, filled(readFileSync(path, 'utf8'), dirname(path)))
