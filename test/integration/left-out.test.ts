import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { findProgram } from '../helpers/program.ts'

suite('a program that is not installed', () => {
  const { CI } = process.env

  test('leaves tests out, except where CI is set', (t) => {
    t.after(() => {
      if (CI === undefined) delete process.env.CI
      else process.env.CI = CI
    })
    delete process.env.CI
    const reason = 'no-such-program or nor-this-one is not installed'
    t.assert.equal(findProgram('no-such-program', 'nor-this-one').skip, reason)
    t.assert.equal(findProgram('no-such-program', 'node').skip, false)
    process.env.CI = ''
    t.assert.deepEqual(findProgram('no-such-program'), { path: 'no-such-program', skip: false })
  })

  test('is named in the report, while what passes is not', (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'left-out-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'some.test.mjs')
    const tests = ["test('passes', () => {})", "test('needs it', { skip: 'it is not installed' }, () => {})"]
    writeFileSync(file, `import { test } from 'node:test'\n${tests.join('\n')}\n`)
    const reporter = `--test-reporter=${new URL('../reporter.js', import.meta.url).href}`
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
    const { stdout } = spawnSync(process.execPath, ['--test', reporter, file], { encoding: 'utf8', env })
    t.assert.match(stdout, /needs it .*# it is not installed/)
    t.assert.doesNotMatch(stdout, /passes/)
  })
})
