import { exec, execFile, spawn, type ExecException } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, join, sep } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { createKeyPair, sign, TestIssuer } from '../helpers/issuer.ts'

const root = join(import.meta.dirname, '../..')
const stranger = await createKeyPair()
// Coverage of the children would be that of npm, tsc and dist.
const env = { ...process.env, NODE_V8_COVERAGE: undefined }

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

  for (const [example, program] of [
    ['docs/examples/first.ts', 'server.js'],
    ['docs/examples/first.cjs', 'server.cjs'],
  ] as const) {
    test(`protects the first route of the README, as ${program}`, async (t) => {
      await using issuer = await TestIssuer.start()
      const code = readFileSync(join(root, example), 'utf8')
      t.assert.match(code, /'https:\/\/login\.example\.com\/realms\/acme'.*port: 3000 /s)
      writeFileSync(
        join(user, program),
        code.replace('https://login.example.com/realms/acme', issuer.issuer).replace('port: 3000', 'port: 0'),
      )
      const child = spawn(process.execPath, [program], {
        cwd: user,
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.after(() => child.kill())
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const get = (path: string, token?: string) =>
        fetch(
          new URL(path, line.toString().trim()),
          token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
        )

      t.assert.equal(await (await get('/ping')).text(), 'public')
      const refused = await get('/secured/ping')
      t.assert.equal(refused.status, 401)
      t.assert.equal(refused.headers.get('www-authenticate'), 'Bearer realm="api"')
      const claims = { aud: 'https://api.example.com' }
      const accepted = await get('/secured/ping', await issuer.token({ claims }))
      t.assert.equal(accepted.status, 200)
      t.assert.equal(await accepted.text(), 'someone')
      const forged = await get('/secured/ping', await sign(stranger, issuer.claims(claims)))
      t.assert.equal(forged.status, 401)
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

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .map((file) => file.split(sep).join('/'))
    .toSorted()
}
