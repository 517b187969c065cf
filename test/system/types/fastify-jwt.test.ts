import { readFileSync } from 'node:fs'
import { suite, test, type TestContext } from 'node:test'
import { compileProgram } from './program.ts'

/** Both plugins declare `request.user`. */

const example = readFileSync(new URL('../../../docs/examples/fastify-jwt.ts', import.meta.url), 'utf8')
const strict = { skipLibCheck: false }

suite('beside the types of @fastify/jwt', () => {
  test('a program compiles that makes their user ours', (t: TestContext) => {
    t.assert.equal(compileProgram(example, strict), '')
  })

  test('it does not compile otherwise', (t: TestContext) => {
    const [agreement] = /^ +user: JwksAuthUser.*$/m.exec(example)!
    const errors = compileProgram(example.replace(agreement, ''), strict)
    t.assert.match(errors, /TS2717.*'user' must be of type/)
  })
})
