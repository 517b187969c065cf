import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite, test, type TestContext } from 'node:test'

const program = resolve(import.meta.dirname, '../../../.ci/release.js')

/** What the program says of a package in a directory of its own. */
function release(t: TestContext, tag: string, version: string, changelog: string) {
  const cwd = mkdtempSync(join(tmpdir(), 'release-'))
  t.after(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ version }))
  writeFileSync(join(cwd, 'CHANGELOG.md'), changelog)
  return spawnSync(process.execPath, [program, tag], { cwd, encoding: 'utf8' })
}

const unreleased = '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Something.\n\n'
const released = '## [1.2.3] - 2026-01-31\n\n### Fixed\n\n- A hole.\n\n'
const before = '## [1.2.2] - 2026-01-30\n\n### Fixed\n\n- Another one.\n'

suite('a release', () => {
  test('is allowed where tag, version and changelog fit, and told with its changes', (t: TestContext) => {
    const { status, stdout } = release(t, 'v1.2.3', '1.2.3', unreleased + released + before)
    t.assert.equal(stdout, '[1.2.3] - 2026-01-31\n\n### Fixed\n\n- A hole.\n')
    t.assert.equal(status, 0)
  })

  for (const [title, tag, version, changelog, message] of [
    ['another tag', 'v1.2.4', '1.2.3', released, 'the tag is v1.2.4 and the version is 1.2.3'],
    ['a tag without v', '1.2.3', '1.2.3', released, 'the tag is 1.2.3 and the version is 1.2.3'],
    ['a version before a release', 'v1.2.3-rc.1', '1.2.3-rc.1', released, '1.2.3-rc.1 is no version'],
    ['no section', 'v1.2.3', '1.2.3', unreleased + before, 'CHANGELOG.md says nothing of 1.2.3'],
    ['a section without a date', 'v1.2.3', '1.2.3', `## [1.2.3]\n\n- A hole.\n`, 'CHANGELOG.md says nothing'],
    [
      'an empty section',
      'v1.2.3',
      '1.2.3',
      `## [1.2.3] - 2026-01-31\n\n${before}`,
      'CHANGELOG.md says nothing',
    ],
  ] as const) {
    test(`is refused with ${title}`, (t: TestContext) => {
      const { status, stderr } = release(t, tag, version, changelog)
      t.assert.equal(status, 1)
      t.assert.equal(stderr.includes(message), true, stderr)
    })
  }
})
