import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { createProject, type Project } from '../../helpers/project.ts'

/** The examples for NestJS and Jest, each in a user's project with the real packages. */

const root = resolve(import.meta.dirname, '../../..')
const tsx = import.meta.resolve('tsx')

/** Creates a project with packages and copies of examples. Undefined if the test is skipped. */
async function start(t: TestContext, packages: string[], examples: string[]): Promise<Project | undefined> {
  const project = await createProject(...packages)
  if (typeof project === 'string') {
    t.skip(project)
    return undefined
  }
  t.after(() => project.remove())
  for (const example of examples)
    cpSync(join(root, example), join(project.directory, example.split('/').at(-1)!))
  return project
}

const nest = ['common@12.5.1', 'core@12.5.1', 'platform-fastify@12.5.0'].map((name) => `@nestjs/${name}`)

test('a guard of NestJS refuses requests with the challenge, and its handlers get the user', async (t) => {
  const project = await start(
    t,
    [...nest, 'reflect-metadata@0.2.2', 'rxjs@7.8.2'],
    ['docs/examples/nestjs.ts'],
  )
  if (!project) return
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    skipLibCheck: true,
    experimentalDecorators: true,
    allowImportingTsExtensions: true,
    noEmit: true,
  }
  writeFileSync(
    join(project.directory, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['*.ts'] }),
  )
  writeFileSync(
    join(project.directory, 'main.ts'),
    `import { createTestIssuer } from 'fastify-jwks-auth/testing'
    import { build } from './nestjs.ts'
    const issuer = await createTestIssuer()
    const app = await build(issuer.options)
    app.useLogger(false)
    await app.init()
    await app.getHttpAdapter().getInstance().ready()
    for (const [url, token] of [
      ['/ping', undefined],
      ['/me', undefined],
      ['/me', issuer.token({ sub: 'Ada' })],
      ['/me', issuer.token({}, { forged: true })],
      ['/orders', issuer.token()],
      ['/orders', issuer.token({ scope: 'read:orders' })],
    ] as const) {
      const headers = token === undefined ? {} : { authorization: \`Bearer \${token}\` }
      const answer = await app.inject({ url, headers })
      const challenge = String(answer.headers['www-authenticate'] ?? '')
      console.log(['answer', url, answer.statusCode, answer.body, challenge].join(' '))
    }
    await app.close()
    await issuer.close()`,
  )
  await project.compile('-p', '.')
  const { code, output } = await project.node('--import', tsx, 'main.ts')
  const body = (statusCode: number, code: string, message: string): string =>
    JSON.stringify({ statusCode, code, message })
  t.assert.equal(code, 0, output)
  t.assert.deepEqual(
    output.split('\n').filter((line) => line.startsWith('answer')),
    [
      'answer /ping 200 public ',
      `answer /me 401 ${body(401, 'authorization_header_missing', 'Authorization header is expected')} Bearer realm="api"`,
      'answer /me 200 Ada ',
      `answer /me 401 ${body(401, 'token_invalid_signature', 'token signature is invalid')} Bearer realm="api", error="invalid_token"`,
      `answer /orders 403 ${body(403, 'insufficient_scope', 'the access token does not permit this request')} Bearer realm="api", error="insufficient_scope", scope="read:orders"`,
      'answer /orders 200 [] ',
    ],
  )
})

suite('the example for Jest', () => {
  test('the example for Jest passes with the flag for ECMAScript modules, and fails if it expects another answer', async (t) => {
    const examples = ['docs/examples/testing-jest.js', 'docs/examples/testing-app.ts']
    const project = await start(t, ['jest@30.5.2'], examples)
    if (!project) return
    await project.compile(
      'testing-app.ts',
      ...'--module nodenext --target es2023 --skipLibCheck --ignoreConfig'.split(' '),
    )
    const file = join(project.directory, 'app.test.js')
    const example = readFileSync(join(project.directory, 'testing-jest.js'), 'utf8')
    const run = async (text: string): Promise<{ code: unknown; output: string }> => {
      writeFileSync(file, text)
      return project.node(
        '--experimental-vm-modules',
        'node_modules/jest/bin/jest.js',
        '--testEnvironment=node',
      )
    }
    const passed = await run(example)
    t.assert.match(passed.output, /Tests: +2 passed, 2 total/)
    t.assert.equal(passed.code, 0)
    const failed = await run(example.replace("'hello Ada'", "'hello Bob'"))
    t.assert.match(failed.output, /Tests: +1 failed, 1 passed, 2 total/)
    t.assert.equal(failed.code, 1)
  })
})
