import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Coverage {
  result: { functions: { functionName: string }[] }[]
}

await import('./run.ts')

// c8 passes over a function that has no name and was never called: inline callbacks, and every `const f = () => ...`,
// whose name is lost where tsx compiles it. So each gets one before c8 looks.
const directory = process.env.NODE_V8_COVERAGE!
for (const file of readdirSync(directory)) {
  const path = join(directory, file)
  const coverage = JSON.parse(readFileSync(path, 'utf8')) as Coverage
  for (const covered of coverage.result.flatMap(({ functions }) => functions)) {
    covered.functionName ||= 'anonymous'
  }
  writeFileSync(path, JSON.stringify(coverage))
}
