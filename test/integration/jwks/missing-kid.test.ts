import { test } from 'node:test'
import Fastify from 'fastify'
import jwksAuth from '../../../lib/index.ts'
import { call } from '../../helpers/app.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

test('tokens without kid are refused, and the log says why once for each issuer', async (t) => {
  await using one = await LocalIssuer.start()
  await using two = await LocalIssuer.start()
  const lines: { level: number; issuer?: string; msg: string }[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) }
  const app = Fastify({ logger: { level: 'warn', stream } })
  t.after(() => app.close())
  await app.register(jwksAuth, {
    issuers: [one, two].map(({ issuer }) => ({ issuer, audience: 'api' })),
  })
  app.get('/secured', { onRequest: [app.authenticate] }, async () => 'ok')
  for (const issuer of [one, two]) {
    for (const kid of [undefined, null, 1, undefined]) {
      const { statusCode, body } = await call(app, await issuer.token({ header: { kid } }))
      t.assert.equal(statusCode, 401)
      t.assert.match(body, /Unable to find appropriate key/)
    }
    t.assert.equal((await call(app, await issuer.token())).statusCode, 200)
  }
  t.assert.deepEqual(
    lines.map(({ level, issuer }) => [level, issuer]),
    [
      [40, one.issuer],
      [40, two.issuer],
    ],
  )
  t.assert.match(lines[0]!.msg, /without kid.* in the header and in the JWK Set \(RFC 7515 section 4\.1\.4\)/)
})
