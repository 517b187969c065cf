import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Coverage {
  result: { functions: { functionName: string }[] }[]
}

await import('./run.ts')

// c8 ignores uncalled functions without a name. These are inline callbacks and every `const f = () => ...`, because tsx drops its name. So
// each function gets a name before c8 reads the files.
const directory = process.env.NODE_V8_COVERAGE!
for (const file of readdirSync(directory)) {
  const path = join(directory, file)
  const coverage = JSON.parse(readFileSync(path, 'utf8')) as Coverage
  for (const covered of coverage.result.flatMap(({ functions }) => functions)) {
    covered.functionName ||= 'anonymous'
  }
  writeFileSync(path, JSON.stringify(coverage))
}
