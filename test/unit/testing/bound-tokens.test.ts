import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import { suite, test, type TestContext } from 'node:test'
import {
  createDPoPClient,
  createTestIssuer,
  createTestKey,
  type ProofOptions,
  type TestBinding,
} from '../../../lib/testing/index.ts'
import { sha256 } from '../../../lib/jwt/thumbprint.ts'
import { createSelfSigned } from '../../helpers/self-signed.ts'

const client = createDPoPClient()
const request = { url: 'https://api.example.com/a?b#c', token: 'x.y.z' }

/** The header or the claims of a JWT. */
function part(jwt: string, index: number): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[index]!, 'base64url').toString()) as Record<string, unknown>
}

suite('a DPoP client for tests', () => {
  test('a proof has the members that RFC 9449 section 4.2 requires', (t: TestContext) => {
    const proof = client.proof({ ...request, method: 'PUT', nonce: 'n' })
    const { kid: _kid, alg, use: _use, ...jwk } = client.key.jwk
    t.assert.deepEqual(part(proof, 0), { typ: 'dpop+jwt', alg, jwk })
    const { jti, iat, ...claims } = part(proof, 1)
    t.assert.match(String(jti), /^[\da-f-]{36}$/)
    t.assert.ok(Math.abs(Number(iat) - Date.now() / 1000) < 10)
    t.assert.deepEqual(claims, {
      htm: 'PUT',
      htu: 'https://api.example.com/a',
      ath: sha256('x.y.z'),
      nonce: 'n',
    })
    const [content, signature] = [proof.slice(0, proof.lastIndexOf('.')), proof.split('.')[2]!]
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const options = { key, dsaEncoding: 'ieee-p1363' as const }
    t.assert.equal(verify('sha256', Buffer.from(content), options, Buffer.from(signature, 'base64url')), true)
  })

  test('each proof is new, and the headers contain it', (t) => {
    const { authorization, dpop } = client.headers(request)
    t.assert.equal(authorization, 'DPoP x.y.z')
    t.assert.notEqual(part(dpop, 1).jti, part(client.proof(request), 1).jti)
    t.assert.equal(part(dpop, 1).htm, 'GET')
  })

  test('the options replace and remove members, and change the key', (t) => {
    const other = createTestKey({ algorithm: 'EdDSA' })
    const proof = client.proof(request, {
      claims: { htm: 5, jti: undefined },
      header: { typ: undefined, x: 1 },
      key: other,
    })
    const { typ, x, alg } = part(proof, 0)
    t.assert.deepEqual([typ, x, alg], [undefined, 1, 'EdDSA'])
    const { htm, jti } = part(proof, 1)
    t.assert.deepEqual([htm, jti], [5, undefined])
  })

  const wrong: [options: [object, object?], message: RegExp][] = [
    [[{ ...request, url: '' }], /"proof.url" must be a non-empty string/],
    [[{ ...request, url: '/a' }], /"proof.url" must be a URL/],
    [[{ ...request, token: undefined }], /"proof.token" must be a non-empty string/],
    [[{ ...request, method: '' }], /"proof.method" must be a non-empty string/],
    [[{ ...request, htm: 'GET' }], /"proof.htm" is unknown/],
    [[request, { htm: 'GET' }], /"proof.htm" is unknown/],
    [[request, { claims: [] }], /"proof.claims" must be a plain object/],
    [[request, { header: 5 }], /"proof.header" must be a plain object/],
    [[request, { key: client }], /"proof.key" must be a key created by createTestKey/],
    [[request, { forged: 1 }], /"proof.forged" must be true or false/],
  ]
  for (const [options, message] of wrong) {
    test(`a wrong argument is a TypeError: ${message.source}`, (t: TestContext) => {
      const [first, second] = options as [typeof request, ProofOptions?]
      t.assert.throws(() => client.proof(first, second), { name: 'TypeError', message })
    })
  }

  test('a client with something else than a key of createTestKey is a TypeError', (t) => {
    t.assert.throws(
      () => createDPoPClient({} as never),
      /"createDPoPClient.key" must be a key created by createTestKey/,
    )
  })
})

suite('bound tokens for tests', () => {
  const { der, pem } = createSelfSigned()
  const x5t = { 'x5t#S256': sha256(der) }
  const rows: [what: string, boundTo: TestBinding, cnf: object][] = [
    ['a client', client, { jkt: client.jkt }],
    ['a thumbprint', { jkt: client.jkt }, { jkt: client.jkt }],
    ['a certificate in DER', { certificate: der }, x5t],
    ['a certificate in PEM', { certificate: pem }, x5t],
    ['an X509Certificate', { certificate: new X509Certificate(der) }, x5t],
    ['both', { jkt: client.jkt, certificate: der }, { jkt: client.jkt, ...x5t }],
  ]
  for (const [what, boundTo, cnf] of rows) {
    test(`a token that is bound to ${what} has the claim cnf`, async (t) => {
      await using issuer = await createTestIssuer()
      t.assert.deepEqual(part(issuer.token({}, { boundTo }), 1).cnf, cnf)
      t.assert.equal(part(issuer.token(), 1).cnf, undefined)
      t.assert.equal(part(issuer.token({ cnf: 5 }, { boundTo }), 1).cnf, 5)
    })
  }

  test('a token that is bound to nothing is a TypeError', async (t) => {
    await using issuer = await createTestIssuer()
    t.assert.throws(
      () => issuer.token({}, { boundTo: {} }),
      /"token.boundTo" must be a client created by createDPoPClient/,
    )
  })
})
