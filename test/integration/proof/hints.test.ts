import { Writable } from 'node:stream'
import { suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type JwksAuthOptions } from '../../../lib/index.ts'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { baseUrl, client, url } from '../../helpers/dpop.ts'

/** Log lines that explain why a bound token was refused, each once. */

const issuer = await createTestIssuer()
test.after(() => issuer.close())
const token = issuer.token({}, { boundTo: client })
const seconds = (): number => Math.floor(Date.now() / 1000)

type Line = Record<string, unknown>

async function start(t: TestContext, options: object): Promise<{ app: FastifyInstance; lines: Line[] }> {
  const lines: Line[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Line)
      done()
    },
  })
  const app = Fastify({ logger: { level: 'warn', stream } })
  await app.register(jwksAuth, { ...issuer.options, ...options } as JwksAuthOptions)
  app.get('/secured', { onRequest: authenticate }, async () => 'in')
  t.after(() => app.close())
  return { app, lines }
}

suite('hints about bound tokens', () => {
  test('a bound token without the option is explained once for each option', async (t) => {
    const { app, lines } = await start(t, {})
    const certificate = issuer.token({ cnf: { 'x5t#S256': client.jkt } })
    for (const one of [token, token, certificate]) {
      await app.inject({ url: '/secured', headers: { authorization: `Bearer ${one}` } })
    }
    t.assert.deepEqual(
      lines.map(({ msg }) => msg),
      [
        'a verified token was refused, because it is bound to a DPoP key and the option "dpop" is not set',
        'a verified token was refused, because it is bound to a client certificate and the option "mtls" is not set',
      ],
    )
  })

  test('a proof of a client with a wrong clock is explained with the difference', async (t) => {
    for (const [difference, words] of [
      [-3_600, '3600 seconds behind that'],
      [3_600, '3600 seconds ahead of that'],
    ] as const) {
      const { app, lines } = await start(t, { dpop: { baseUrl } })
      for (let count = 0; count < 2; count += 1) {
        const headers = client.headers({ url, token }, { claims: { iat: seconds() + difference } })
        await app.inject({ url: '/secured', headers })
      }
      t.assert.equal(lines.length, 1)
      t.assert.match(String(lines[0]!.msg).replace(/360\d|359\d/, '3600'), new RegExp(words))
    }
  })

  test('a proof for another URL is explained with baseUrl next to its htu, without the query', async (t) => {
    const { app, lines } = await start(t, { dpop: { baseUrl } })
    const wrong = ['http://localhost:3000/secured?secret=1', 'http://localhost:3000/other']
    for (const htu of wrong) {
      await app.inject({ url: '/secured', headers: client.headers({ url, token }, { claims: { htu } }) })
    }
    t.assert.equal(lines.length, 1)
    t.assert.match(String(lines[0]!.msg), /its htu is not "dpop.baseUrl" followed by the path of the request/)
    t.assert.deepEqual(lines[0]!.baseUrl, [baseUrl])
    t.assert.equal(lines[0]!.htu, 'http://localhost:3000/secured')
  })

  test('no log line contains an htu with other characters, or more than 200 of them', async (t) => {
    for (const [htu, shown] of [
      ['http://a/\u001b[31m', undefined],
      [`http://a/${'x'.repeat(300)}`, `http://a/${'x'.repeat(191)}`],
    ]) {
      const { app, lines } = await start(t, { dpop: { baseUrl } })
      await app.inject({ url: '/secured', headers: client.headers({ url, token }, { claims: { htu } }) })
      t.assert.equal(lines[0]!.htu, shown)
    }
  })

  test('an iat that is no time is not explained', async (t) => {
    const { app, lines } = await start(t, { dpop: { baseUrl } })
    for (const claims of [{ iat: 'x' }, { iat: undefined }, { jti: 5 }]) {
      await app.inject({ url: '/secured', headers: client.headers({ url, token }, { claims }) })
    }
    t.assert.deepEqual(lines, [])
  })

  test('a store that fails is logged with its reason, once', async (t) => {
    const replay = { add: async () => Promise.reject(new Error('no connection')) }
    const { app, lines } = await start(t, { dpop: { baseUrl, replay } })
    for (let count = 0; count < 3; count += 1) {
      await app.inject({ url: '/secured', headers: client.headers({ url, token }) })
    }
    const ours = lines.filter(({ msg }) => String(msg).startsWith('the store of used DPoP proofs'))
    t.assert.equal(ours.length, 1)
    t.assert.equal(ours[0]!.reason, 'no connection')
  })
})
