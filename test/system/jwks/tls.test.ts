import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { call, createApp } from '../../helpers/app.ts'
import { createCertificate, skip } from '../../helpers/certificate.ts'
import { now, unsignedToken } from '../../helpers/issuer.ts'

test(
  'an issuer with a certificate of an unknown authority is unavailable and gets no request',
  { skip },
  async (t) => {
    const requests: unknown[] = []
    const { cert, key } = createCertificate()
    const server = createServer({ cert, key }, ({ url }, response) => {
      requests.push(url)
      response.end('{}')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const issuer = `https://localhost:${(server.address() as AddressInfo).port}`
    const app = await createApp({ issuer, audience: 'api' })
    t.after(async () => {
      await app.close()
      server.close()
    })
    const claims = { iss: issuer, aud: 'api', exp: now() + 600 }
    const response = await call(app, unsignedToken({ alg: 'ES256', kid: 'one' }, claims, 'AA'))
    t.assert.equal(response.statusCode, 503)
    t.assert.equal(app.jwksStatus()[0]!.reason, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    t.assert.deepEqual(requests, [])
  },
)
