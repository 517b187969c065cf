import { test } from 'node:test'
import { build } from '../../../docs/examples/client-certificates.ts'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { createSelfSigned, type SelfSigned } from '../../helpers/self-signed.ts'

const own = createSelfSigned()
const other = createSelfSigned()
const issuer = await createTestIssuer()
test.after(() => issuer.close())

const envoy = ({ pem }: SelfSigned): string =>
  `By=spiffe://api;Hash=abc;Cert="${encodeURIComponent(pem)}";Subject="CN=client, O=x"`
const base64 = ({ der }: SelfSigned): string => der.toString('base64')

const rows: [proxy: 'envoy' | 'traefik', what: string, header: string | undefined, status: number][] = [
  ['envoy', 'the certificate', envoy(own), 200],
  ['envoy', 'another certificate', envoy(other), 401],
  ['envoy', 'no certificate', 'By=spiffe://api;Hash=abc', 401],
  ['envoy', 'no header', undefined, 401],
  ['traefik', 'the certificate', base64(own), 200],
  ['traefik', 'the escaped certificate', encodeURIComponent(base64(own)), 200],
  ['traefik', 'the certificate and its chain', `${base64(own)},${base64(other)}`, 200],
  ['traefik', 'another certificate', base64(other), 401],
  ['traefik', 'no header', undefined, 401],
]
for (const [proxy, what, header, status] of rows) {
  test(`the recipe for ${proxy} answers ${status} to ${what}`, async (t) => {
    const app = await build({ issuer: issuer.issuer, audience: 'api' }, proxy)
    t.after(() => app.close())
    const name = proxy === 'envoy' ? 'x-forwarded-client-cert' : 'x-forwarded-tls-client-cert'
    const token = issuer.token({}, { boundTo: { certificate: own.der } })
    const headers = { authorization: `Bearer ${token}`, ...(header !== undefined && { [name]: header }) }
    t.assert.equal((await app.inject({ url: '/me', headers })).statusCode, status)
  })
}
