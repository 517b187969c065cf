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

suite('the process of the demo', { concurrency: 2 }, () => {
  test('SIGINT ends the demo with exit code 0, even if it is sent twice', async (t) => {
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

  test('a taken PORT is reported in one line with exit code 1', async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await assertRefused(
      t,
      start(t, { PORT: String(port) }),
      /^Port \d+ is already in use\. Set PORT to another port\.$/,
    )
  })

  test('an incomplete configuration is reported in one line with exit code 1', async (t) => {
    const demo = start(t, {}, 'ISSUER=https://id.example.com\n')
    await assertRefused(t, demo, /^ISSUER is set, but AUDIENCE \(or AUTH0_AUDIENCE or API_ID\) is missing\.$/)
  })

  test('an option that the plugin refuses is reported in one line with exit code 1', async (t) => {
    const demo = start(t, { AUTH0_DOMAIN: 'https://tenant.example.com/', API_ID: 'my-api' })
    await assertRefused(t, demo, /^Invalid configuration: .*\bdomain\b/)
  })
})
