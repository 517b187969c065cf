import { X509Certificate } from 'node:crypto'
import { connect } from 'node:http2'
import { request } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authenticate, type JwksAuthOptions } from '../../../lib/index.ts'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { createApp } from '../../helpers/app.ts'
import { codeOf } from '../../helpers/dpop.ts'
import { createSelfSigned, type SelfSigned } from '../../helpers/self-signed.ts'

/** Where the client certificate of a request is found (RFC 8705 section 3). */

const issuer = await createTestIssuer()
test.after(() => issuer.close())
const own = createSelfSigned()
const other = createSelfSigned()
const token = issuer.token({}, { boundTo: { certificate: own.der } })
const authorization = `Bearer ${token}`

async function appWith(t: TestContext, mtls: unknown): Promise<FastifyInstance> {
  const app = await createApp({ ...issuer.options, mtls } as JwksAuthOptions)
  t.after(() => app.close())
  return app
}

suite('a certificate in a header', () => {
  const rfc9440 = ({ der }: SelfSigned): string => `:${der.toString('base64')}:`
  const encoded = ({ pem }: SelfSigned): string => encodeURIComponent(pem)
  // AWS leaves these characters as they are.
  const ofAws = (certificate: SelfSigned): string =>
    encoded(certificate).replaceAll('%2B', '+').replaceAll('%3D', '=').replaceAll('%2F', '/')
  const withoutLineFeeds = ({ pem }: SelfSigned): string => encodeURIComponent(pem.replaceAll('\n', ''))

  const rows: [what: string, value: string | string[], code: unknown][] = [
    ['as RFC 9440 writes it', rfc9440(own), 200],
    ['as URL-encoded PEM of nginx', encoded(own), 200],
    ['as URL-encoded PEM of AWS', ofAws(own), 200],
    ['as URL-encoded PEM without line feeds', withoutLineFeeds(own), 200],
    ['with its chain behind it', encoded(own) + encoded(other), 200],
    ['behind another one of a chain', encoded(other) + encoded(own), 'invalid_binding'],
    ['of somebody else', rfc9440(other), 'invalid_binding'],
    ['of somebody else in PEM', encoded(other), 'invalid_binding'],
    ['twice', [rfc9440(own), rfc9440(own)], 'invalid_binding'],
    ['next to another one', [rfc9440(own), rfc9440(other)], 'invalid_binding'],
    ['behind another one', [rfc9440(other), rfc9440(own)], 'invalid_binding'],
    ['in PEM next to another one', [encoded(own), encoded(other)], 'invalid_binding'],
    ['next to an empty one', [rfc9440(own), ''], 'invalid_binding'],
    ['that is empty', '', 'invalid_binding'],
    ['without the colons', own.der.toString('base64'), 'invalid_binding'],
    ['in base64url', `:${own.der.toString('base64url')}!:`, 'invalid_binding'],
    ['with parameters', `${rfc9440(own)};a=1`, 'invalid_binding'],
    ['in PEM that is wrongly encoded', '%', 'invalid_binding'],
    ['in PEM without an end', encoded(own).slice(0, 100), 'invalid_binding'],
    ['behind another text', `x${encoded(own)}`, 'invalid_binding'],
    ['that contains only its thumbprint', `:${own.pem}:`.replaceAll('\n', ''), 'invalid_binding'],
  ]
  for (const [what, value, code] of rows) {
    test(`the answer to a certificate ${what} is ${String(code)}`, async (t) => {
      const app = await appWith(t, { header: 'Client-Cert' })
      const origin = await app.listen()
      const headers = { authorization, 'client-cert': value }
      const response = await new Promise<{ status: number; body: string }>((resolve, reject) => {
        request(`${origin}/secured`, { headers, agent: false }, (answer) => {
          text(answer).then((body) => resolve({ status: answer.statusCode!, body }), reject)
        })
          .on('error', reject)
          .end()
      })
      t.assert.equal(response.status, code === 200 ? 200 : 401, response.body)
      if (code !== 200) t.assert.equal((JSON.parse(response.body) as { code: string }).code, code)
    })
  }

  test('the header is read only if the option names it', async (t) => {
    const headers = { authorization, 'client-cert': rfc9440(own) }
    for (const mtls of ['allowed', { header: 'Other' }]) {
      const app = await appWith(t, mtls)
      t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 'invalid_binding')
    }
  })
})

suite('a certificate of getCertificate', () => {
  const rows: [what: string, certificate: unknown, code: unknown][] = [
    ['DER', own.der, 200],
    ['a Uint8Array', new Uint8Array(own.der), 200],
    ['PEM', own.pem, 200],
    ['the bytes of PEM', Buffer.from(own.pem), 200],
    ['other bytes', Buffer.from('certificate'), 'invalid_binding'],
    ['bytes of which a text is made that is DER', Buffer.from(own.der.toString('base64')), 'invalid_binding'],
    ['a chain in PEM', `\n${own.pem}${other.pem}`, 200],
    ['an X509Certificate', new X509Certificate(own.pem), 200],
    ['a promise', Promise.resolve(own.der), 200],
    ['undefined', undefined, 'invalid_binding'],
    ['null', null, 'invalid_binding'],
    ['a promise of undefined', Promise.resolve(), 'invalid_binding'],
    ['an empty text', '', 'invalid_binding'],
    ['a text that is no PEM', 'x', 'invalid_binding'],
    ['a thumbprint', new X509Certificate(own.pem).fingerprint256, 'invalid_binding'],
    ['an object', { raw: own.der }, 'invalid_binding'],
    ['another certificate', other.der, 'invalid_binding'],
    ['a promise of another certificate', Promise.resolve(other.pem), 'invalid_binding'],
  ]
  for (const [what, certificate, code] of rows) {
    test(`the answer is ${String(code)} if getCertificate returns ${what}`, async (t) => {
      const app = await appWith(t, { getCertificate: () => certificate })
      t.assert.equal(codeOf(await app.inject({ url: '/secured', headers: { authorization } })), code)
    })
  }

  test('getCertificate gets the request', async (t) => {
    const app = await appWith(t, {
      getCertificate: ({ headers }: { headers: { mine?: string } }) => headers.mine && own.der,
    })
    const call = async (mine: string): Promise<unknown> =>
      codeOf(await app.inject({ url: '/secured', headers: { authorization, mine } }))
    t.assert.equal(await call('yes'), 200)
    t.assert.equal(await call(''), 'invalid_binding')
  })

  test('getCertificate is called for bound tokens only', async (t) => {
    const app = await appWith(t, {
      getCertificate: () => t.assert.fail('getCertificate was called') as never,
    })
    const headers = { authorization: `Bearer ${issuer.token()}` }
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 200)
  })

  for (const [how, getCertificate] of Object.entries({
    throws() {
      throw Object.assign(new Error('no certificate today'), { statusCode: 418 })
    },
    async rejects() {
      throw Object.assign(new Error('no certificate today'), { statusCode: 418 })
    },
  })) {
    test(`the error passes through unchanged, without a challenge, if getCertificate ${how}`, async (t) => {
      const app = await appWith(t, { getCertificate })
      const response = await app.inject({ url: '/secured', headers: { authorization } })
      t.assert.equal(response.statusCode, 418)
      t.assert.equal(response.json<{ message: string }>().message, 'no certificate today')
      t.assert.equal(response.headers['www-authenticate'], undefined)
    })
  }
})

suite('the certificate of the TLS connection', () => {
  const server = createSelfSigned()
  const tls = { cert: server.pem, key: server.key, requestCert: true, rejectUnauthorized: false }

  async function listen(t: TestContext, app: FastifyInstance): Promise<number> {
    await app.register(jwksAuth, { ...issuer.options, mtls: 'allowed' } as JwksAuthOptions)
    app.get('/secured', { onRequest: authenticate }, async () => 'in')
    t.after(() => app.close())
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  }

  async function overHttp1(port: number, client: Partial<SelfSigned>): Promise<number> {
    return new Promise((resolve, reject) => {
      const options = {
        port,
        path: '/secured',
        headers: { authorization },
        agent: false,
        rejectUnauthorized: false,
      }
      httpsRequest({ ...options, cert: client.pem, key: client.key }, (response) => {
        response.resume()
        resolve(response.statusCode!)
      })
        .on('error', reject)
        .end()
    })
  }

  async function overHttp2(port: number, client: Partial<SelfSigned>): Promise<number> {
    const options = { rejectUnauthorized: false, cert: client.pem, key: client.key }
    const session = connect(`https://127.0.0.1:${port}`, options)
    try {
      return await new Promise((resolve, reject) => {
        session.on('error', reject)
        session
          .request({ ':path': '/secured', authorization })
          .on('response', (headers) => resolve(headers[':status']!))
          .on('error', reject)
          .resume()
          .end()
      })
    } finally {
      session.close()
    }
  }

  const versions = {
    'HTTP/1.1': [() => Fastify({ https: tls }) as unknown as FastifyInstance, overHttp1],
    'HTTP/2': [() => Fastify({ http2: true, https: tls }) as unknown as FastifyInstance, overHttp2],
  } as const
  for (const [version, [create, call]] of Object.entries(versions)) {
    test(`over ${version} a token is accepted on a connection with its certificate only`, async (t) => {
      const port = await listen(t, create())
      t.assert.equal(await call(port, own), 200)
      t.assert.equal(await call(port, other), 401)
      t.assert.equal(await call(port, {}), 401)
      t.assert.equal(await call(port, own), 200)
    })
  }

  test('without TLS there is no certificate', async (t) => {
    const app = await appWith(t, 'allowed')
    const origin = await app.listen()
    const response = await fetch(`${origin}/secured`, { headers: { authorization } })
    t.assert.equal(response.status, 401)
    t.assert.equal(((await response.json()) as { code: string }).code, 'invalid_binding')
  })
})
