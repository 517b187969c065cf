import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { Demo } from '../../helpers/demo-process.ts'

function start(t: TestContext, ...settings: ConstructorParameters<typeof Demo>): Demo {
  const demo = new Demo(...settings)
  t.after(() => demo.stop('SIGKILL'))
  return demo
}

async function assertRefused(t: TestContext, demo: Demo, line: RegExp): Promise<void> {
  t.assert.deepEqual(await demo.ended, { code: 1, signal: null })
  t.assert.equal(demo.stdout, '')
  const [first = '', ...rest] = demo.stderr.split('\n')
  t.assert.match(first, line)
  t.assert.deepEqual(rest, [''])
}

suite('the demo as a process', { concurrency: 2 }, () => {
  test('the demo ends with exit code 0 after two SIGINT', async (t) => {
    const demo = start(t, {
      AUTH0_DOMAIN: 'tenant.example.com',
      AUTH0_CLIENT_ID: 'my-client',
      AUTH0_CLIENT_SECRET: randomBytes(32).toString('base64url'),
    })
    await demo.ready()
    void demo.stop('SIGINT')
    t.assert.deepEqual(await demo.stop('SIGINT'), { code: 0, signal: null })
    t.assert.equal(demo.stderr, '')
  })

  for (const name of ['PORT', 'PAGE_PORT']) {
    test(`the demo ends with exit code 1 and one line if ${name} is taken`, async (t) => {
      const server = createServer().listen(0, '127.0.0.1')
      t.after(() => server.close())
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const line = new RegExp(`^Port ${port} is taken: set ${name} to another one\\.$`)
      await assertRefused(t, start(t, { [name]: String(port) }), line)
    })
  }

  test('the demo ends with exit code 1 and one line if the configuration is incomplete', async (t) => {
    const demo = start(t, {}, 'ISSUER=https://id.example.com\n')
    await assertRefused(t, demo, /^ISSUER is set, but AUTH0_AUDIENCE \(or API_ID\) is missing\.$/)
  })

  test('the demo ends with exit code 1 and one line if the plugin refuses an option', async (t) => {
    const demo = start(t, { AUTH0_DOMAIN: 'https://tenant.example.com/', API_ID: 'my-api' })
    await assertRefused(t, demo, /^Wrong configuration: .*\bdomain\b/)
  })
})
