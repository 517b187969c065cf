import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type JwksAuthOptions } from '../../../lib/index.ts'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { createCertificate, skip as skipOpenssl } from '../../helpers/certificate.ts'
import { findProgram } from '../../helpers/program.ts'

const curl = findProgram('curl')
const run = promisify(execFile)

suite('curl with a client certificate', { skip: curl.skip || skipOpenssl }, () => {
  test('curl needs the certificate to which its token is bound, over HTTP/1.1 and HTTP/2', async (t) => {
    const issuer = await createTestIssuer()
    const directory = mkdtempSync(join(tmpdir(), 'curl-'))
    t.after(async () => {
      await issuer.close()
      rmSync(directory, { recursive: true })
    })
    const server = createCertificate()
    const own = createCertificate()
    const other = createCertificate()
    const files = Object.entries({ own, other }).flatMap(([name, { cert, key }]) => {
      writeFileSync(join(directory, `${name}.cert`), cert)
      writeFileSync(join(directory, `${name}.key`), key)
      return name
    })
    t.assert.equal(files.length, 2)
    writeFileSync(join(directory, 'ca'), server.ca)
    const https = {
      cert: server.cert,
      key: server.key,
      requestCert: true,
      rejectUnauthorized: false,
      allowHTTP1: true,
    }
    const app = Fastify({ http2: true, https }) as unknown as FastifyInstance
    await app.register(jwksAuth, { ...issuer.options, mtls: 'required' } as JwksAuthOptions)
    app.get('/secured', { onRequest: authenticate }, async () => 'in')
    t.after(() => app.close())
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const token = issuer.token({}, { boundTo: { certificate: own.cert } })

    for (const version of ['--http1.1', '--http2']) {
      const call = async (certificate?: string): Promise<string> => {
        const client =
          certificate === undefined ? [] : ['--cert', `${certificate}.cert`, '--key', `${certificate}.key`]
        const { stdout } = await run(
          curl.path,
          [
            ...[
              '--silent',
              '--show-error',
              '--cacert',
              'ca',
              '--connect-to',
              `localhost:443:127.0.0.1:${port}`,
            ],
            ...['--header', `Authorization: Bearer ${token}`, '--write-out', ' %{http_code} %{http_version}'],
            ...[version, ...client, 'https://localhost/secured'],
          ],
          { cwd: directory },
        )
        return stdout
      }
      const number = version === '--http2' ? '2' : '1.1'
      t.assert.equal(await call('own'), `in 200 ${number}`)
      t.assert.match(await call('other'), /"invalid_binding".* 401/)
      t.assert.match(await call(), /"invalid_binding".* 401/)
    }
  })
})
