import { exec, execFile, type ExecException } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, isAbsolute, join, sep } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { firstRoutes, protectsFirstRoute } from './first-route.ts'

const root = join(import.meta.dirname, '../../..')
// Coverage of the children would be that of npm, tsc and dist.
const env = { ...process.env, NODE_V8_COVERAGE: undefined }
// Without the registry, who is not CI hears of it at once.
const quietly = `--loglevel=error --prefer-offline --no-audit --no-fund ${process.env.CI === undefined ? '--fetch-retries=0' : ''}`
const withoutRegistry = /ECONNREFUSED|ECONNRESET|EAI_AGAIN|ENETUNREACH|ENOTFOUND|ETIMEDOUT|ENOTCACHED/

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  peerDependencies: { fastify: string }
}
const lowest = manifest.peerDependencies.fastify.replace('^', '')

describe('the packed package, installed by a user', () => {
  const user = mkdtempSync(join(tmpdir(), 'fastify-jwks-auth-'))
  let tarball: string

  before(async () => {
    cpSync(join(import.meta.dirname, 'user'), user, { recursive: true })
    await promisify(exec)(`npm pack --pack-destination "${user}"`, { cwd: root, env })
    tarball = readdirSync(user).find((file) => extname(file) === '.tgz')!
    const packages = [`./${tarball}`, installed('fastify'), installed('@types/node')].join(' ')
    await promisify(exec)(`npm install ${quietly} ${packages}`, { cwd: user, env })
  })

  after(() => rmSync(user, { recursive: true, force: true }))

  test('holds the compiled library and its three documents, nothing else', (t) => {
    const compiled = filesOf(join(root, 'lib')).flatMap((file) => {
      const path = `dist/${file.slice(0, -'.ts'.length)}`
      return [`${path}.d.ts`, `${path}.js`]
    })
    const shipped = filesOf(join(user, 'node_modules/fastify-jwks-auth'))
    t.assert.deepEqual(shipped, ['LICENSE', 'README.md', ...compiled, 'package.json'].toSorted())
  })

  test('the plugin and the issuer for tests load nothing of each other', (t) => {
    const dist = join(user, 'node_modules/fastify-jwks-auth/dist')
    const plugin = loadedBy(join(dist, 'index.js'))
    const testing = loadedBy(join(dist, 'testing.js'))
    const common = ['algorithms.js', 'assert.js'].map((file) => join(dist, file))
    t.assert.deepEqual([...plugin].filter((module) => testing.has(module)).toSorted(), [
      ...common,
      'node:crypto',
      'node:events',
      'node:http',
    ])
    t.assert.deepEqual([...testing].filter((module) => !module.startsWith(dist)).toSorted(), [
      'node:crypto',
      'node:events',
      'node:http',
    ])
  })

  test('loads get-jwks and all that it brings along with its first look-up, and no sooner', (t: TestContext) => {
    const dist = join(user, 'node_modules/fastify-jwks-auth/dist')
    t.assert.deepEqual(
      [...loadedBy(join(dist, 'index.js'))].filter((module) => !isAbsolute(module)).toSorted(),
      [
        ...[
          'fast-jwt',
          'fastify-plugin',
          'lru-cache',
          'node:buffer',
          'node:crypto',
          'node:diagnostics_channel',
        ],
        ...['node:events', 'node:http', 'node:https', 'node:stream', 'node:util', 'node:zlib'],
      ],
    )
    t.assert.ok(loadedBy(join(dist, 'keys/key-set.js')).has('get-jwks'))
  })

  test('is small, packed and unpacked', (t: TestContext) => {
    const bytes = (files: string[]): number => files.reduce((sum, file) => sum + statSync(file).size, 0)
    const shipped = join(user, 'node_modules/fastify-jwks-auth')
    t.assert.ok(bytes([join(user, tarball)]) < 80 * 1024)
    t.assert.ok(bytes(filesOf(shipped).map((file) => join(shipped, file))) < 240 * 1024)
  })

  for (const route of firstRoutes) {
    test(`protects the first route of the README, as ${route[1]}`, (t) => protectsFirstRoute(t, user, route))
  }

  for (const program of ['testing.js', 'testing.cjs']) {
    test(`has an issuer for tests in a program that loads it from ${extname(program)}`, async (t) => {
      const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: user, env })
      t.assert.equal(stdout, 'someone token_expired\n')
    })
  }

  test('is the plugin itself by require, by its default and by import', async () => {
    await promisify(execFile)(process.execPath, ['names.cjs'], { cwd: user, env })
  })

  describe('compiled by TypeScript', () => {
    let errors: string[]

    before(async () => {
      errors = await compile(user)
    })

    test('right programs have no errors, the declarations neither', (t) => {
      t.assert.deepEqual(
        errors.filter((error) => !error.startsWith('wrong.ts')),
        [],
      )
    })

    test('a wrong program has an error in every line that is wrong, and nowhere else', (t) => {
      const marked = readFileSync(join(user, 'wrong.ts'), 'utf8')
        .split('\n')
        .flatMap((text, index) => (text.includes('// wrong:') ? [index + 1] : []))
      const found = errors.flatMap((error) => /^wrong\.ts\((\d+),/.exec(error)?.[1] ?? []).map(Number)
      t.assert.deepEqual([...new Set(found)], marked)
    })
  })

  describe(`beside fastify ${lowest}, the lowest that is supported`, () => {
    const other = mkdtempSync(join(tmpdir(), 'fastify-jwks-auth-'))
    let leftOut: string | undefined

    before(async () => {
      cpSync(join(import.meta.dirname, 'user'), other, { recursive: true })
      const packages = [join(user, tarball), `fastify@${lowest}`, installed('@types/node')].join(' ')
      await promisify(exec)(`npm install ${quietly} ${packages}`, { cwd: other, env }).catch(
        (error: Error) => {
          if (process.env.CI !== undefined || !withoutRegistry.test(error.message)) throw error
          leftOut = `fastify ${lowest} can't be had without the registry`
        },
      )
    })

    after(() => rmSync(other, { recursive: true, force: true }))

    for (const route of firstRoutes) {
      test(`protects the first route of the README, as ${route[1]}`, async (t) => {
        if (leftOut !== undefined) return t.skip(leftOut)
        t.assert.equal(versionOf('fastify', other), lowest)
        await protectsFirstRoute(t, other, route)
      })
    }

    test('right programs have no errors', async (t) => {
      if (leftOut !== undefined) return t.skip(leftOut)
      const errors = await compile(other)
      t.assert.deepEqual(
        errors.filter((error) => !error.startsWith('wrong.ts')),
        [],
      )
    })
  })
})

/** What the compiler finds wrong with a user's programs. */
async function compile(directory: string): Promise<string[]> {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  const { stdout } = await promisify(execFile)(process.execPath, [join(typescript, 'bin/tsc')], {
    cwd: directory,
    env,
  })
    // Compiler errors are its exit code too.
    .catch((error: ExecException) => ({ stdout: error.stdout ?? '' }))
  return stdout.split('\n').filter((line) => line.includes('error TS'))
}

/** A package in the version that the project itself has, so that the cache is likely to hold it. */
function installed(name: string): string {
  return `${name}@${versionOf(name, root)}`
}

function versionOf(name: string, directory: string): string {
  const file = join(directory, 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** The modules that a compiled file loads, those of packages by their name. */
function loadedBy(file: string, loaded: Set<string> = new Set()): Set<string> {
  if (loaded.has(file)) return loaded
  loaded.add(file)
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*? from '(?<name>[^']+)'/gm)
  for (const { groups } of imports) {
    const name = groups!.name!
    if (name.startsWith('.')) loadedBy(join(dirname(file), name), loaded)
    else loaded.add(name)
  }
  return loaded
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .map((file) => file.split(sep).join('/'))
    .toSorted()
}
