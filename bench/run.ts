import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Installs and builds what a benchmark needs and starts it: `run.ts keys` runs `node dist/keys.js`. The benchmark and its servers are compiled, so
// that no loader runs in the measured processes.

const root = fileURLToPath(new URL('..', import.meta.url))
const bench = fileURLToPath(new URL('.', import.meta.url))

function run(command: string, args: string[], cwd = root): void {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

function changedAt(path: string): number {
  return statSync(bench + path, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity
}

const [name, ...args] = process.argv.slice(2)
if (changedAt('node_modules/.package-lock.json') < changedAt('package-lock.json')) run('npm', ['ci'], bench)
run('npm', ['run', '--silent', 'build'])
run('node', ['node_modules/typescript/bin/tsc', '-p', 'bench'])
run('node', [`bench/dist/${name}.js`, ...args])
