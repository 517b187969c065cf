import { readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { documents } from './documents.ts'
import { filled } from './snippets.ts'

// Updates the code in the documents from the files that it comes from.
for (const path of documents) writeFileSync(path, filled(readFileSync(path, 'utf8'), dirname(path)))
