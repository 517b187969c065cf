import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { after, before, suite, test, type TestContext } from 'node:test'

/** Programs that use the published declarations. What must not compile in them is marked with @ts-expect-error. */

const root = resolve(import.meta.dirname, '../../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

interface Program {
  /** Contents by name. An application augments an interface for its whole program, so each augmentation needs its own. */
  files: Record<string, string>
  compilerOptions?: object
  /** The errors that the compiler must report, if any. */
  errors?: RegExp
}

const fastifyJwt = read('docs/examples/fastify-jwt.ts')
const [agreement] = /^ +user: JwksAuthUser.*$/m.exec(fastifyJwt)!

const programs: Record<string, Program> = {
  'the options accept what the documents allow and nothing else': sources('test/system/types/options.ts'),
  'the plugin, its decorators and its errors have the types of the documents': sources(
    'test/system/types/plugin.ts',
  ),
  'the hooks fit servers with HTTP/2': sources('test/system/types/http2.ts'),
  'the hooks fit routes of every type provider': sources('test/system/types/type-providers.ts'),
  'claims of the application are in the user, the access token and the callbacks': sources(
    'test/system/types/augmentations/claims.ts',
  ),
  'a user of the application is what formatUser returns': sources('test/system/types/augmentations/user.ts'),
  'the example with types of the application compiles': sources('docs/examples/users.ts'),
  'the example with @fastify/jwt compiles': {
    files: { 'program.ts': fastifyJwt },
    // Checks the declarations of both plugins as well.
    compilerOptions: { skipLibCheck: false },
  },
  'the example with @fastify/jwt does not compile unless both plugins agree on the user': {
    files: { 'program.ts': fastifyJwt.replace(agreement, '') },
    errors: /TS2339: Property 'sub' does not exist/,
  },
}

suite('programs with the published declarations', () => {
  const directory = mkdtempSync(join(tmpdir(), 'types-'))
  let errors: string[]

  before(() => {
    errors = compile(directory)
  })
  after(() => rmSync(directory, { recursive: true }))

  test('the declarations have no errors, also next to those of @fastify/jwt', (t: TestContext) => {
    t.assert.deepEqual(
      errors.filter((error) => !error.startsWith('program-')),
      [],
    )
  })

  for (const [index, [title, program]] of Object.entries(programs).entries()) {
    test(title, (t: TestContext) => {
      const own = errors.filter((error) => error.startsWith(`program-${index}/`)).join('\n')
      if (program.errors === undefined) t.assert.equal(own, '')
      else t.assert.match(own, program.errors)
    })
  }
})

function sources(file: string): Program {
  const text = read(file)
    .replaceAll('../../../lib/index.ts', 'fastify-jwks-auth')
    .replaceAll(/\.\.\/\.\.\/\.\.\/lib\/stores\/(\w+)\.ts/g, 'fastify-jwks-auth/$1')
  return { files: { [basename(file)]: text } }
}

/** Compiles the declarations and then all programs, in one run of the compiler. Returns its errors. */
function compile(directory: string): string[] {
  const write = (file: string, content: string | object): void =>
    writeFileSync(join(directory, file), typeof content === 'string' ? content : JSON.stringify(content))
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'), 'dir')
  write('package.json', { type: 'module' })
  write('tsconfig.lib.json', {
    extends: join(root, 'tsconfig.build.json'),
    compilerOptions: {
      composite: true,
      emitDeclarationOnly: true,
      rootDir: join(root, 'lib'),
      outDir: 'dist',
      tsBuildInfoFile: 'lib.tsbuildinfo',
    },
    include: [join(root, 'lib')],
  })
  const names = Object.values(programs).map(({ files, compilerOptions }, index) => {
    const name = `program-${index}`
    mkdirSync(join(directory, name))
    for (const [file, content] of Object.entries(files)) write(join(name, file), content)
    const paths = {
      'fastify-jwks-auth': [join(directory, 'dist/index.d.ts')],
      'fastify-jwks-auth/file': [join(directory, 'dist/stores/file.d.ts')],
      'fastify-jwks-auth/redis': [join(directory, 'dist/stores/redis.d.ts')],
    }
    write(join(name, 'tsconfig.json'), {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { paths, noUnusedLocals: false, ...compilerOptions },
      include: ['*.ts'],
      exclude: [],
      references: [{ path: '../tsconfig.lib.json' }],
    })
    return name
  })
  write('tsconfig.json', { files: [], references: names.map((path) => ({ path })) })
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  try {
    execFileSync(process.execPath, [tsc, '--build', '--pretty', 'false'], {
      cwd: directory,
      encoding: 'utf8',
    })
    return []
  } catch (error) {
    // The lines of an error that continue it are indented.
    return (error as { stdout: string }).stdout.trimEnd().split(/\n(?! )/)
  }
}
