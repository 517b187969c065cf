import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { parse } from 'yaml'
import { findProgram } from '../helpers/program.ts'

/** What a change can't show before it is merged: the workflows, the release, and how tests are run and reported. */

const root = resolve(import.meta.dirname, '../..')

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'ci-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

interface Workflow {
  on: Record<string, unknown>
  permissions: object
  jobs: Record<string, Job>
}

interface Job {
  permissions: Record<string, string>
  needs?: string
  steps: { uses?: string; with?: Record<string, unknown>; run?: string }[]
}

const workflows = new Map(
  readdirSync(join(root, '.github/workflows')).map((file) => [
    file,
    parse(readFileSync(join(root, '.github/workflows', file), 'utf8')) as Workflow,
  ]),
)

for (const [file, { permissions, jobs }] of workflows) {
  suite(`the workflow ${file}`, () => {
    const steps = Object.values(jobs).flatMap((job) => job.steps)

    test(`${file} pins every action by its whole commit`, (t: TestContext) => {
      const actions = steps.flatMap(({ uses }) => uses ?? [])
      t.assert.notEqual(actions.length, 0)
      for (const action of actions) t.assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/)
    })

    test(`${file} gives each job the permissions that the job names, and no others`, (t: TestContext) => {
      t.assert.deepEqual(permissions, {})
      for (const [name, job] of Object.entries(jobs)) {
        const isPublish = file === 'release.yml' && name === 'publish'
        t.assert.deepEqual(job.permissions, isPublish ? { 'id-token': 'write' } : { contents: 'read' }, name)
      }
    })

    test(`${file} gives no step a secret or the credentials of the checkout`, (t: TestContext) => {
      t.assert.doesNotMatch(JSON.stringify(jobs), /secrets\.|NODE_AUTH_TOKEN/)
      for (const { uses = '', with: inputs } of steps) {
        if (uses.startsWith('actions/checkout@')) t.assert.equal(inputs?.['persist-credentials'], false)
      }
    })

    test(`${file} has no command that contains an expression`, (t: TestContext) => {
      for (const { run = '' } of steps) t.assert.doesNotMatch(run, /\$\{\{/)
    })
  })
}

test('a version tag is published after every check', (t: TestContext) => {
  const { on, jobs } = workflows.get('release.yml')!
  t.assert.deepEqual(on, { push: { tags: ['v[0-9]+.[0-9]+.[0-9]+'] } })
  t.assert.equal(jobs.pack!.needs, 'check')
  t.assert.equal(jobs.publish!.needs, 'pack')
  const commands = (name: string): string[] => jobs[name]!.steps.flatMap(({ run }) => run ?? [])
  for (const command of [
    'node .ci/release.js "$GITHUB_REF_NAME"',
    'npm test',
    'npm run test:system',
    'npm run check',
  ]) {
    t.assert.equal(commands('check').includes(command), true, command)
  }
})

test('the job that may publish runs no code of the repository or its dependencies, and publishes the tarball of another job', (t: TestContext) => {
  const { pack, publish } = workflows.get('release.yml')!.jobs
  t.assert.deepEqual(
    publish!.steps.flatMap(({ run }) => run ?? []),
    ['npm publish ./*.tgz --ignore-scripts --provenance --access public'],
  )
  const actions = (job: Job): string[] => job.steps.flatMap(({ uses }) => uses?.split('@')[0] ?? [])
  t.assert.deepEqual(actions(publish!), ['actions/setup-node', 'actions/download-artifact'])
  t.assert.equal(
    pack!.steps.some(({ run }) => run === 'npm pack'),
    true,
  )
  t.assert.equal(actions(pack!).at(-1), 'actions/upload-artifact')
})

test('.ci/run and the CI workflow run the test command of the README', (t: TestContext) => {
  const [, command] = /^(npm ci && npm test)$/m.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  const commands = command!.split(' && ')
  const script = readFileSync(join(root, '.ci/run'), 'utf8').split('\n')
  const workflow = workflows.get('ci.yml')!.jobs.test!.steps.map(({ run }) => run)
  for (const part of commands) {
    t.assert.equal(script.includes(part), true, part)
    t.assert.equal(workflow.includes(part), true, part)
  }
})

suite('.ci/release.js', () => {
  /** Runs it in a directory that holds a package of this version with this changelog. */
  function release(t: TestContext, tag: string, version: string, changelog: string) {
    const cwd = temporaryDirectory(t)
    writeFileSync(join(cwd, 'package.json'), JSON.stringify({ version }))
    writeFileSync(join(cwd, 'CHANGELOG.md'), changelog)
    return spawnSync(process.execPath, [join(root, '.ci/release.js'), tag], { cwd, encoding: 'utf8' })
  }

  const unreleased = '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Something.\n\n'
  const released = '## [1.2.3] - 2026-01-31\n\n### Fixed\n\n- A hole.\n\n'
  const before = '## [1.2.2] - 2026-01-30\n\n### Fixed\n\n- Another one.\n'

  test('a release is allowed and its changes are printed if tag, version and changelog agree', (t: TestContext) => {
    const { status, stdout } = release(t, 'v1.2.3', '1.2.3', unreleased + released + before)
    t.assert.equal(stdout, '[1.2.3] - 2026-01-31\n\n### Fixed\n\n- A hole.\n')
    t.assert.equal(status, 0)
  })

  for (const [title, tag, version, changelog, message] of [
    ['another tag', 'v1.2.4', '1.2.3', released, 'the tag is v1.2.4 and the version is 1.2.3'],
    ['a tag without v', '1.2.3', '1.2.3', released, 'the tag is 1.2.3 and the version is 1.2.3'],
    ['a prerelease version', 'v1.2.3-rc.1', '1.2.3-rc.1', released, '1.2.3-rc.1 is no version'],
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
    test(`a release with ${title} is refused`, (t: TestContext) => {
      const { status, stderr } = release(t, tag, version, changelog)
      t.assert.equal(status, 1)
      t.assert.equal(stderr.includes(message), true, stderr)
    })
  }
})

suite('the test runner', () => {
  test('a missing program skips its tests, except in CI', (t) => {
    const { CI } = process.env
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

  test('the report has a line for each file, failed and skipped tests and the totals, and no passed tests', (t: TestContext) => {
    const directory = temporaryDirectory(t)
    const files = Object.entries({
      'good.test.mjs': `suite('some', () => { test('one that passes', () => {}) })
        test('one that needs a program', { skip: 'it is not installed' }, () => {})`,
      'bad.test.mjs': `test('one that fails', () => { throw new Error('the reason') })`,
    }).map(([name, tests]) => {
      writeFileSync(join(directory, name), `import { suite, test } from 'node:test'\n${tests}\n`)
      return join(directory, name)
    })
    const runner = new URL('../runner.ts', import.meta.url).href
    const program = join(directory, 'run.mjs')
    writeFileSync(
      program,
      `import { runFiles } from '${runner}'
      process.exitCode = (await runFiles(${JSON.stringify(files)})) ? 0 : 1`,
    )
    const node = ['--import', import.meta.resolve('tsx'), program]
    const { status, stdout } = spawnSync(process.execPath, node, {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    })
    t.assert.equal(status, 1)
    t.assert.match(stdout, /^\d\/2 ✔ good\.test\.mjs: 2 tests, \d+\.\d s$/m)
    t.assert.match(stdout, /^\d\/2 ✖ bad\.test\.mjs: 1 test, 1 failed, \d+\.\d s$/m)
    t.assert.match(stdout, /one that fails[^]*the reason/)
    t.assert.match(stdout, /one that needs a program .*# it is not installed/)
    t.assert.doesNotMatch(stdout, /one that passes/)
    for (const total of ['tests 3', 'pass 1', 'fail 1', 'skipped 1'])
      t.assert.match(stdout, new RegExp(`^ℹ ${total}$`, 'm'))
  })
})
