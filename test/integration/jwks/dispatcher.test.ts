import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { Agent } from 'undici'
import { call, createApp } from '../../helpers/app.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

test('keys are fetched by an undici agent of the user’s own', async (t) => {
  await using issuer = await LocalIssuer.start()
  const connected: unknown[] = []
  const dispatcher = new Agent()
  dispatcher.on('connect', (origin) => connected.push(String(origin)))
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', jwks: { dispatcher } })
  t.after(() => Promise.all([app.close(), dispatcher.close()]))
  t.assert.equal((await call(app, await issuer.token())).statusCode, 200)
  t.assert.deepEqual([...new Set(connected)], [`${issuer.origin}/`])
})

test('the deadline holds for an agent without time limits', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, connectTimeout: 0 })
  const jwks = { dispatcher, timeout: 50 }
  const app = await createApp({
    issuer: 'x',
    jwksUri: `http://127.0.0.1:${port}/jwks`,
    audience: 'api',
    jwks,
  })
  t.after(async () => {
    await app.close()
    await dispatcher.destroy()
    silent.close()
  })
  await using issuer = await LocalIssuer.start()
  const response = await call(app, await issuer.token({ claims: { iss: 'x' } }))
  t.assert.equal(response.statusCode, 503)
})
