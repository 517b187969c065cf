import { exec, execFile, type ExecFileException } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '../..')
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
// A child has its own test runner, and its coverage doesn't count.
const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_V8_COVERAGE: undefined }
// Outside of CI, a missing registry is reported without retries.
const retries = process.env.CI === undefined ? '--fetch-retries=0' : ''
const withoutRegistry = /ECONNREFUSED|ECONNRESET|EAI_AGAIN|ENETUNREACH|ENOTFOUND|ETIMEDOUT|ENOTCACHED/

/** A user's project with the compiled package, Fastify and other packages, in a temporary directory. */
export interface Project {
  readonly directory: string
  /** Compiles programs of the project, or only checks them with `--noEmit`. Rejects if they have errors. */
  compile(...args: string[]): Promise<void>
  /** Runs Node in the project. */
  node(...args: string[]): Promise<{ code: unknown; output: string }>
  remove(): void
}

/**
 * Creates a project.
 *
 * @returns The reason to skip the test, if the registry is missing outside of CI.
 */
export async function createProject(...packages: string[]): Promise<Project | string> {
  const directory = mkdtempSync(join(tmpdir(), 'project-'))
  const node: Project['node'] = (...args) =>
    new Promise((done) =>
      execFile(process.execPath, args, { cwd: directory, env }, (error: ExecFileException | null, ...out) =>
        done({ code: error?.code ?? 0, output: out.join('') }),
      ),
    )
  const compile: Project['compile'] = async (...args) => {
    const { code, output } = await node(tsc, ...args)
    if (code !== 0) throw new Error(output)
  }
  // Not packed: npm would build into the directory of this project, which another test may do at this time.
  const built = join(directory, 'built')
  mkdirSync(built)
  await compile('-p', join(root, 'tsconfig.build.json'), '--outDir', join(built, 'dist'))
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>
  const { scripts: _scripts, devDependencies: _devDependencies, overrides: _overrides, ...shipped } = manifest
  writeFileSync(join(built, 'package.json'), JSON.stringify(shipped))
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  const names = [...packages, installed('fastify'), installed('@types/node')].join(' ')
  const options = `--install-links --loglevel=error --prefer-offline --no-audit --no-fund ${retries}`
  try {
    await promisify(exec)(`npm install ${options} ./built ${names}`, { cwd: directory, env })
  } catch (error) {
    rmSync(directory, { recursive: true })
    if (process.env.CI !== undefined || !withoutRegistry.test(String(error))) throw error
    return `${packages.join(', ')} can't be installed without the registry`
  }
  return { directory, compile, node, remove: () => rmSync(directory, { recursive: true }) }
}

/** A package in the version that this project uses, which npm has probably cached. */
function installed(name: string): string {
  const file = join(root, 'node_modules', name, 'package.json')
  return `${name}@${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`
}
