import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { parse } from 'yaml'

// What of the workflows nobody sees before they run: whose code they run, and with which rights.

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

const directory = resolve(import.meta.dirname, '../../../.github/workflows')
const workflows = new Map(
  readdirSync(directory).map((file) => [
    file,
    parse(readFileSync(resolve(directory, file), 'utf8')) as Workflow,
  ]),
)

for (const [file, { permissions, jobs }] of workflows) {
  suite(file, () => {
    const steps = Object.values(jobs).flatMap((job) => job.steps)

    test('every action is pinned by its whole commit', (t: TestContext) => {
      const actions = steps.flatMap(({ uses }) => uses ?? [])
      t.assert.notEqual(actions.length, 0)
      for (const action of actions) t.assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/)
    })

    test('the jobs have the rights that they name, and none else', (t: TestContext) => {
      t.assert.deepEqual(permissions, {})
      for (const [name, job] of Object.entries(jobs)) {
        const more = file === 'release.yml' && name === 'publish' ? { 'id-token': 'write' } : {}
        t.assert.deepEqual(job.permissions, { contents: 'read', ...more }, name)
      }
    })

    test('no step has a secret, or credentials left by the checkout', (t: TestContext) => {
      t.assert.doesNotMatch(JSON.stringify(jobs), /secrets\.|NODE_AUTH_TOKEN/)
      for (const { uses = '', with: inputs } of steps) {
        if (uses.startsWith('actions/checkout@')) t.assert.equal(inputs?.['persist-credentials'], false)
      }
    })

    test('no command holds what somebody else may have written', (t: TestContext) => {
      for (const { run = '' } of steps) t.assert.doesNotMatch(run, /\$\{\{/)
    })
  })
}

test('a release is for version tags, and published after every check', (t: TestContext) => {
  const { on, jobs } = workflows.get('release.yml')!
  t.assert.deepEqual(on, { push: { tags: ['v[0-9]+.[0-9]+.[0-9]+'] } })
  t.assert.equal(jobs.publish!.needs, 'check')
  const commands = (name: string): string[] => jobs[name]!.steps.flatMap(({ run }) => run ?? [])
  for (const command of ['node .ci/release.js "$GITHUB_REF_NAME"', 'npm test', 'npm run check']) {
    t.assert.equal(commands('check').includes(command), true, command)
  }
  t.assert.equal(commands('publish').at(-1), 'npm publish --provenance --access public')
})
