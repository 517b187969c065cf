import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { suite, test } from 'node:test'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { call, createApp, readAnswer } from '../../helpers/app.ts'
import { get } from './get.ts'

const isRefused = ({ cause }: Error): boolean => (cause as { code?: string }).code === 'ECONNREFUSED'

suite('outages of a test issuer', () => {
  test('goDown ends and refuses connections until comeBack listens on the same port', async (t) => {
    await using issuer = await createTestIssuer()
    await using app = await createApp(issuer.options)
    const { jwksUri } = issuer
    const received = new Promise((resolve) => issuer.handlers.set('/hangs', resolve))
    const ended = t.assert.rejects(fetch(`${issuer.issuer}/hangs`))
    await received
    await issuer.goDown()
    await ended
    await t.assert.rejects(fetch(jwksUri), isRefused)
    t.assert.equal(readAnswer(await call(app, issuer.token())).code, 'jwks_unavailable')
    await issuer.comeBack()
    t.assert.equal(issuer.jwksUri, jwksUri)
    t.assert.deepEqual(await get(jwksUri), { keys: [issuer.key.jwk] })
  })

  test('goDown and comeBack can be repeated, and run in the order of the calls without await', async (t) => {
    await using issuer = await createTestIssuer()
    await Promise.all([issuer.goDown(), issuer.goDown(), issuer.comeBack(), issuer.comeBack()])
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: issuer.keys })
    await Promise.all([issuer.goDown(), issuer.comeBack(), issuer.goDown()])
    await t.assert.rejects(fetch(issuer.jwksUri), isRefused)
  })

  test('comeBack rejects while another program uses the port, and works afterwards', async (t) => {
    await using issuer = await createTestIssuer()
    await issuer.goDown()
    const other = createServer().listen(Number(new URL(issuer.issuer).port), '127.0.0.1')
    await once(other, 'listening')
    await t.assert.rejects(issuer.comeBack(), { code: 'EADDRINUSE' })
    other.close()
    await once(other, 'close')
    await issuer.comeBack()
    t.assert.deepEqual(await get(issuer.jwksUri), { keys: issuer.keys })
  })
})

suite('closing a test issuer', () => {
  test('a closed test issuer has freed its port, cannot come back and still creates tokens', async (t) => {
    const issuer = await createTestIssuer()
    await issuer.close()
    await issuer.close()
    await t.assert.rejects(fetch(issuer.jwksUri), isRefused)
    await t.assert.rejects(issuer.comeBack(), /fastify-jwks-auth: the test issuer is closed/)
    await issuer.goDown()
    t.assert.equal(issuer.token().split('.').length, 3)
  })

  test('await using closes a test issuer at the end of the block', async (t) => {
    let uri: string
    {
      await using issuer = await createTestIssuer()
      uri = issuer.jwksUri
      t.assert.deepEqual(await get(uri), { keys: issuer.keys })
    }
    await t.assert.rejects(fetch(uri), isRefused)
  })

  test('close leaves no connection or timer, even while a request is open', async (t) => {
    const program = `
      import { createTestIssuer } from ${JSON.stringify(new URL('../../../lib/testing/index.ts', import.meta.url))}
      const issuer = await createTestIssuer()
      issuer.handlers.set('/hangs', () => issuer.close())
      await fetch(issuer.jwksUri).then((answer) => answer.json())
      await fetch(issuer.issuer + '/hangs').catch(() => console.log(process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name))))
    `
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill())
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data.toString()))
    t.assert.deepEqual(await once(child, 'close'), [0, null])
    t.assert.equal(output.trim(), '[]')
  })
})
