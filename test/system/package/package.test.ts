import { exec, execFile, type ExecException } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, isAbsolute, join, sep } from 'node:path'
import { after, before, suite, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { firstRoutes, protectsFirstRoute } from './first-route.ts'

const root = join(import.meta.dirname, '../../..')
// The coverage of the children would be that of npm, tsc and dist.
const env = { ...process.env, NODE_V8_COVERAGE: undefined }
// Outside of CI, a missing registry is reported without retries.
const quietly = `--loglevel=error --prefer-offline --no-audit --no-fund ${process.env.CI === undefined ? '--fetch-retries=0' : ''}`
const withoutRegistry = /ECONNREFUSED|ECONNRESET|EAI_AGAIN|ENETUNREACH|ENOTFOUND|ETIMEDOUT|ENOTCACHED/

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  peerDependencies: { fastify: string }
}
const lowest = manifest.peerDependencies.fastify.replace('^', '')

suite('the packed package, installed by a user', () => {
  const user = mkdtempSync(join(tmpdir(), 'fastify-jwks-auth-'))
  const shipped = join(user, 'node_modules/fastify-jwks-auth')
  const dist = join(shipped, 'dist')
  let tarball: string

  before(async () => {
    cpSync(join(import.meta.dirname, 'user'), user, { recursive: true })
    await promisify(exec)(`npm pack --pack-destination "${user}"`, { cwd: root, env })
    tarball = readdirSync(user).find((file) => extname(file) === '.tgz')!
    const packages = [`./${tarball}`, installed('fastify'), installed('@types/node')].join(' ')
    await promisify(exec)(`npm install ${quietly} ${packages}`, { cwd: user, env })
  })

  after(() => rmSync(user, { recursive: true, force: true }))

  test('the package has the compiled library and the documents, and nothing else', (t) => {
    const compiled = filesOf(join(root, 'lib')).flatMap((file) => {
      const path = `dist/${file.slice(0, -'.ts'.length)}`
      return [`${path}.d.ts`, `${path}.js`]
    })
    const documents = filesOf(join(root, 'docs'))
      .filter((file) => !/^(reference|images)\//.test(file))
      .map((file) => `docs/${file}`)
    const others = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
    t.assert.deepEqual(filesOf(shipped), [...compiled, ...documents, ...others].toSorted())
  })

  test('the plugin and the test issuer load no modules of each other, except three that both need', (t) => {
    const plugin = loadedBy(join(dist, 'index.js'))
    const testing = loadedBy(join(dist, 'testing/index.js'))
    const common = ['jwt/algorithms.js', 'jwt/thumbprint.js', 'options/assert.js'].map((file) =>
      join(dist, file),
    )
    t.assert.deepEqual([...plugin].filter((module) => testing.has(module)).toSorted(), [
      ...common,
      'node:crypto',
      'node:diagnostics_channel',
      'node:events',
      'node:http',
    ])
    t.assert.deepEqual([...testing].filter((module) => !module.startsWith(dist)).toSorted(), [
      'node:crypto',
      'node:diagnostics_channel',
      'node:events',
      'node:http',
    ])
  })

  for (const name of ['redis', 'file']) {
    test(`the store ${name} loads nothing but modules of Node and the assertions about options`, (t) => {
      const file = join(dist, `stores/${name}.js`)
      const others = [...loadedBy(file)].filter((module) => !module.startsWith('node:'))
      t.assert.deepEqual(others, [file, join(dist, 'options/assert.js')])
    })
  }

  test('the entry for MCP loads no SDK, and shares the modules of the plugin', (t) => {
    const plugin = loadedBy(join(dist, 'index.js'))
    const own = [...loadedBy(join(dist, 'mcp/index.js'))].filter((module) => !plugin.has(module))
    t.assert.notEqual(own.length, 0)
    t.assert.deepEqual(
      own.filter((module) => !module.startsWith(join(dist, 'mcp'))),
      [],
    )
  })

  test('the plugin loads get-jwks and its dependencies with the first fetch', (t: TestContext) => {
    const packages = [...loadedBy(join(dist, 'index.js'))].filter(
      (module) => !isAbsolute(module) && !module.startsWith('node:'),
    )
    t.assert.deepEqual(packages.toSorted(), ['fast-jwt', 'fastify-plugin', 'lru-cache'])
    t.assert.ok(loadedBy(join(dist, 'jwks/jwk-set.js')).has('get-jwks'))
  })

  test('the package is small, packed and unpacked', (t: TestContext) => {
    const bytes = (files: string[]): number => files.reduce((sum, file) => sum + statSync(file).size, 0)
    const sizes = {
      packed: bytes([join(user, tarball)]),
      compiled: bytes(filesOf(dist).map((file) => join(dist, file))),
    }
    t.assert.ok(sizes.packed < 256 * 1024, `${sizes.packed} bytes`)
    t.assert.ok(sizes.compiled < 480 * 1024, `${sizes.compiled} bytes`)
  })

  for (const route of firstRoutes) {
    test(`the package protects the first route of the README in ${route[1]}`, (t) =>
      protectsFirstRoute(t, user, route))
  }

  for (const program of ['testing.js', 'testing.cjs']) {
    test(`the test issuer of the package can be loaded from ${extname(program)}`, async (t) => {
      const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: user, env })
      t.assert.equal(stdout, 'someone token_expired\n')
    })
  }

  test('require, its default property and import return the same plugin', async () => {
    await promisify(execFile)(process.execPath, ['names.cjs'], { cwd: user, env })
  })

  suite('programs with the installed package', () => {
    let errors: string[]

    before(async () => {
      errors = await compile(user)
    })

    test('right programs and the installed declarations compile without errors', (t) => {
      t.assert.deepEqual(
        errors.filter((error) => !error.startsWith('wrong.ts')),
        [],
      )
    })

    test('with decoratorName the user has the type of the plugin under that name only', async (t) => {
      t.assert.deepEqual(await compile(user, 'tsconfig.named.json'), [])
    })

    test('a wrong program has a compiler error in each wrong line and in no other', (t) => {
      const marked = readFileSync(join(user, 'wrong.ts'), 'utf8')
        .split('\n')
        .flatMap((text, index) => (text.includes('// wrong:') ? [index + 1] : []))
      const found = errors.flatMap((error) => /^wrong\.ts\((\d+),/.exec(error)?.[1] ?? []).map(Number)
      t.assert.deepEqual([...new Set(found)], marked)
    })
  })

  suite(`fastify ${lowest}, the lowest supported version`, () => {
    const other = mkdtempSync(join(tmpdir(), 'fastify-jwks-auth-'))
    let reason: string | undefined

    before(async () => {
      cpSync(join(import.meta.dirname, 'user'), other, { recursive: true })
      const packages = [join(user, tarball), `fastify@${lowest}`, installed('@types/node')].join(' ')
      await promisify(exec)(`npm install ${quietly} ${packages}`, { cwd: other, env }).catch(
        (error: Error) => {
          if (process.env.CI !== undefined || !withoutRegistry.test(error.message)) throw error
          reason = `fastify ${lowest} can't be installed without the registry`
        },
      )
    })

    after(() => rmSync(other, { recursive: true, force: true }))

    for (const route of firstRoutes) {
      test(`with fastify ${lowest} the package protects the first route of the README in ${route[1]}`, async (t) => {
        if (reason !== undefined) return t.skip(reason)
        t.assert.equal(versionOf('fastify', other), lowest)
        await protectsFirstRoute(t, other, route)
      })
    }

    test(`with fastify ${lowest} right programs compile without errors`, async (t) => {
      if (reason !== undefined) return t.skip(reason)
      const errors = await compile(other)
      t.assert.deepEqual(
        errors.filter((error) => !error.startsWith('wrong.ts')),
        [],
      )
    })
  })
})

/** Compiles the programs of a user. Returns the errors. */
async function compile(directory: string, project = 'tsconfig.json'): Promise<string[]> {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(typescript, 'bin/tsc'), '-p', project],
    {
      cwd: directory,
      env,
    },
  )
    // The compiler exits with an error code if the program has errors.
    .catch((error: ExecException) => ({ stdout: error.stdout ?? '' }))
  return stdout.split('\n').filter((line) => line.includes('error TS'))
}

/** A package in the version that the project uses, which npm has probably cached. */
function installed(name: string): string {
  return `${name}@${versionOf(name, root)}`
}

function versionOf(name: string, directory: string): string {
  const file = join(directory, 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** The modules that a compiled file imports statically: files by path, packages by name. */
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
