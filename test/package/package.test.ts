import { exec, execFile, spawn, type ExecException } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, join, sep } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../..')
const secret = 'a secret of thirty-two bytes or more'
// Coverage of the children would be that of npm, tsc and dist.
const env = { ...process.env, NODE_V8_COVERAGE: undefined, SECRET: secret }

describe('the packed package, installed by a user', () => {
  const user = mkdtempSync(join(tmpdir(), 'fastify-jwks-auth-'))

  before(async () => {
    cpSync(join(import.meta.dirname, 'user'), user, { recursive: true })
    await promisify(exec)(`npm pack --pack-destination "${user}"`, { cwd: root, env })
    const tarball = readdirSync(user).find((file) => extname(file) === '.tgz')
    const packages = [`./${tarball}`, installed('fastify'), installed('@types/node')].join(' ')
    await promisify(exec)(`npm install --prefer-offline --no-audit --no-fund ${packages}`, { cwd: user, env })
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
    ])
    t.assert.deepEqual([...testing].filter((module) => !module.startsWith(dist)).toSorted(), [
      'node:crypto',
      'node:events',
      'node:http',
    ])
  })

  for (const program of ['esm.js', 'cjs.cjs']) {
    test(`answers requests in a program that loads it from ${extname(program)}`, async (t) => {
      const child = spawn(process.execPath, [program], {
        cwd: user,
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.after(() => child.kill())
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const get = (headers: Record<string, string>) =>
        fetch(new URL('/secured/ping', line.toString().trim()), { headers })

      const refused = await get({})
      t.assert.equal(refused.status, 401)
      t.assert.equal(refused.headers.get('www-authenticate'), 'Bearer realm="api"')
      const accepted = await get({ authorization: `Bearer ${sign(secret)}` })
      t.assert.equal(accepted.status, 200)
      t.assert.equal(await accepted.text(), 'someone')
      const forged = await get({ authorization: `Bearer ${sign(`${secret}!`)}` })
      t.assert.equal(forged.status, 401)
    })
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
      const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
      const { stdout } = await promisify(execFile)(process.execPath, [join(typescript, 'bin/tsc')], {
        cwd: user,
        env,
      })
        // Compiler errors are its exit code too.
        .catch((error: ExecException) => ({ stdout: error.stdout ?? '' }))
      errors = stdout.split('\n').filter((line) => line.includes('error TS'))
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
})

/** A package in the version that the project itself has, so that the cache is likely to hold it. */
function installed(name: string): string {
  const manifest = readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')
  return `${name}@${(JSON.parse(manifest) as { version: string }).version}`
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

/** A token by hand, as a user without our tools would make it. */
function sign(key: string): string {
  const claims = {
    iss: 'https://issuer.example/',
    aud: 'https://api.example.com',
    sub: 'someone',
    exp: Math.ceil(Date.now() / 1000) + 60,
  }
  const signed = [{ alg: 'HS256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}
