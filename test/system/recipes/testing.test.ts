import { execFile, type ExecFileException } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { suite, test } from 'node:test'

const root = resolve(import.meta.dirname, '../../..')
const app = 'docs/examples/testing-app.ts'
const aliases = {
  'fastify-jwks-auth/testing': join(root, 'lib/testing/index.ts'),
  'fastify-jwks-auth': join(root, 'lib/index.ts'),
}

/** The examples of tests, each in a temporary project with its test runner. */
const runners = [
  {
    name: 'node:test',
    example: 'docs/examples/testing-node.ts',
    args: (file: string) => ['--import', import.meta.resolve('tsx'), '--test', '--test-reporter=tap', file],
    passed: /^# pass 15\n# fail 0$/m,
    failed: /^# pass 14\n# fail 1$/m,
    wrongly: ["'hello Ada'", "'hello Bob'"],
  },
  {
    name: 'Vitest',
    example: 'docs/examples/testing-vitest.ts',
    args: (file: string) => [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--no-color', file],
    passed: /Tests +6 passed \(6\)/,
    failed: /Tests +1 failed \| 5 passed \(6\)/,
    wrongly: ["'hello Ada'", "'hello Bob'"],
  },
] as const

for (const { name, example, args, passed, failed, wrongly } of runners) {
  suite(`the example for ${name}`, () => {
    test(`the example for ${name} passes`, async (t) => {
      const { code, output } = await run(example, args, (text) => text)
      t.assert.match(output, passed)
      t.assert.equal(code, 0)
    })

    test(`the example for ${name} fails if it expects another answer`, async (t) => {
      const { code, output } = await run(example, args, (text) =>
        text.replace(...(wrongly as [string, string])),
      )
      t.assert.match(output, failed)
      t.assert.equal(code, 1)
    })
  })
}

async function run(
  example: string,
  args: (file: string) => string[],
  edit: (text: string) => string,
): Promise<{ code: unknown; output: string }> {
  const project = mkdtempSync(join(tmpdir(), 'testing-'))
  const file = join(project, 'test', basename(example).replace('.ts', '.test.ts'))
  try {
    mkdirSync(join(project, 'test'))
    cpSync(join(root, app), join(project, 'test', basename(app)))
    writeFileSync(file, edit(readFileSync(join(root, example), 'utf8')))
    symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'), 'dir')
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
    const paths = Object.fromEntries(Object.entries(aliases).map(([from, to]) => [from, [to]]))
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
    writeFileSync(
      join(project, 'vitest.config.js'),
      `export default { resolve: { alias: ${JSON.stringify(aliases)} } }`,
    )
    // The child has its own test runner, and its coverage doesn't count.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_V8_COVERAGE: undefined }
    return await new Promise((done) =>
      execFile(
        process.execPath,
        args(file),
        { cwd: project, env },
        (error: ExecFileException | null, ...out) => done({ code: error?.code ?? 0, output: out.join('') }),
      ),
    )
  } finally {
    rmSync(project, { recursive: true })
  }
}
