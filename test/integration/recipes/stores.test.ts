import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { build as buildFile } from '../../../docs/examples/store-file.ts'
import { build as buildHttp } from '../../../docs/examples/store-http.ts'
import type { IssuerOptions } from '../../../lib/index.ts'
import { call } from '../../helpers/app.ts'
import { LocalIssuer, until } from '../../helpers/issuer.ts'

/** The recipes for stores that need no other program. */

const secret = 's'.repeat(32)

/** Checks that an application accepts a token after the issuer has gone, once another one has stored the keys. */
async function survivesOutage(
  t: TestContext,
  build: (issuer: IssuerOptions) => Promise<FastifyInstance>,
  isStored: () => boolean,
): Promise<void> {
  const issuer = await LocalIssuer.start()
  t.after(() => issuer.close())
  const token = await issuer.token()
  const start = async (): Promise<FastifyInstance> => {
    const app = await build({ issuer: issuer.issuer, audience: 'api' })
    t.after(() => app.close())
    return app
  }
  t.assert.equal((await call(await start(), token, '/me')).statusCode, 200)
  await until(async () => isStored())
  await issuer.close()
  t.assert.equal((await call(await start(), token, '/me')).statusCode, 200)
}

suite('stores of keys', () => {
  test('with the store in files, a server that starts while the issuer is down accepts tokens', async (t: TestContext) => {
    const directory = mkdtempSync(join(tmpdir(), 'store-'))
    t.after(() => rmSync(directory, { recursive: true, force: true }))
    const environment = { CACHE_DIRECTORY: directory, STORE_SECRET: secret }
    // The answer and the claim.
    const isStored = (): boolean =>
      readdirSync(directory).filter((name) => !name.endsWith('.tmp')).length === 2
    await survivesOutage(t, (issuer) => buildFile(issuer, environment), isStored)
  })

  for (const name of ['CACHE_DIRECTORY', 'STORE_SECRET']) {
    test(`without ${name} the server with the store in files doesn't start`, async (t: TestContext) => {
      const environment = { CACHE_DIRECTORY: '/tmp', STORE_SECRET: secret, [name]: undefined }
      const start = async (): Promise<unknown> => {
        const app = await buildFile({ issuer: 'https://id.example', audience: 'api' }, environment)
        return app.ready()
      }
      await t.assert.rejects(start(), { name: 'TypeError' })
    })
  }

  test('with a store of your own over HTTP, a server that starts while the issuer is down accepts tokens', async (t: TestContext) => {
    const texts = new Map<string, string>()
    const server = createServer(async (request, response) => {
      const chunks = (await request.toArray()) as Buffer[]
      const [command, key, value] = JSON.parse(Buffer.concat(chunks).toString()) as [string, string, string]
      if (command === 'SET') texts.set(key, value)
      response.end(JSON.stringify({ result: texts.get(key) ?? null }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await survivesOutage(
      t,
      (issuer) => buildHttp(issuer, url, secret),
      () => [...texts.keys()].some((key) => key.includes('answer')),
    )
  })
})
