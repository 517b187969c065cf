import { mock, suite, test, type TestContext } from 'node:test'
import { diagnostics } from '../../../lib/index.ts'
import {
  createDPoPClient,
  createTestIssuer,
  createTestKey,
  type ProofOptions,
} from '../../../lib/testing/index.ts'
import { encodeToken, keySigner, secretSigner } from '../../../lib/testing/test-token.ts'
import { baseUrl, callWithProof, client, codeOf, createDPoPApp, thief, url } from '../../helpers/dpop.ts'
import { eventsOf } from '../../helpers/events.ts'
import { curveKey, rsaKey } from '../../helpers/jwk.ts'

/** The checks of a proof by RFC 9449 section 4.3, each with what only this check refuses. */

/** The clock stands still, so that the limits of times are exact. */
const now = 1_800_000_000
mock.timers.enable({ apis: ['Date'], now: now * 1000 })

const issuer = await createTestIssuer()
const app = await createDPoPApp(issuer)
test.after(() => Promise.all([app.close(), issuer.close()]))
const token = issuer.token({}, { boundTo: client })

type Proof = ProofOptions | ((good: string) => string)

/** The code and the reason of the answer to a request with a proof. */
async function answerTo(t: TestContext, proof: Proof, to = app): Promise<unknown[]> {
  const events = eventsOf(t, diagnostics.tokenRefused)
  const response = await (typeof proof === 'function'
    ? callWithProof(to, token, {}, { headers: { dpop: proof(client.proof({ url, token })) } })
    : callWithProof(to, token, proof))
  return [codeOf(response), events[0]?.reason]
}

suite('a proof is accepted', () => {
  for (const algorithm of ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const) {
    test(`a proof signed with ${algorithm} is accepted`, async (t) => {
      const other = createDPoPClient(createTestKey({ algorithm }))
      const boundToOther = issuer.token({}, { boundTo: other })
      for (let count = 0; count < 2; count += 1) {
        const headers = other.headers({ url, token: boundToOther })
        t.assert.equal((await app.inject({ url: '/secured', headers })).statusCode, 200)
      }
    })
  }

  const good: [what: string, proof: ProofOptions][] = [
    ['with an iat of one minute ago', { claims: { iat: now - 60 } }],
    ['with an iat of a minute and nearly the tolerance ago', { claims: { iat: now - 64.999 } }],
    ['with an iat that is ahead by the tolerance', { claims: { iat: now + 5 } }],
    ['with an iat that is no whole number', { claims: { iat: now + 0.5 } }],
    ['with a jti of 256 characters', { claims: { jti: 'x'.repeat(256) } }],
    ['with a jti of any characters', { claims: { jti: '\u0000é\ud83d\ude00' } }],
    ['with a query in the htu', { claims: { htu: `${url}?a=b` } }],
    ['with other claims', { claims: { aud: 'anything', nonce: 5 } }],
    ['with an exp that lies ahead', { claims: { exp: now + 60, nbf: now - 60 } }],
    ['with other header parameters', { header: { kid: 'x', x5c: [] } }],
  ]
  for (const [what, proof] of good) {
    test(`a proof ${what} is accepted`, async (t) =>
      t.assert.deepEqual(await answerTo(t, proof), [200, undefined]))
  }
})

const { kty, crv, x, y } = client.key.jwk
const jwk = { kty, crv, x, y }
const reencode = (good: string, index: number, text: string): string =>
  good.split('.').with(index, text).join('.')

suite('a proof that fails a check', () => {
  const notOne = 'the DPoP header is not one JWT'
  const jwkReason = (reason: string): string => `its jwk can not be used: ${reason}`
  const rows: [what: string, proof: Proof, reason: string][] = [
    ['that is empty', () => '', notOne],
    ['that is no JWT', () => 'x', notOne],
    ['that comes twice in one header', (good) => `${good}, ${good}`, notOne],
    ['that is followed by an empty one', (good) => `${good}, `, notOne],
    ['that follows an empty one', (good) => `, ${good}`, notOne],
    ['of two segments', (good) => good.slice(0, good.lastIndexOf('.')), notOne],
    ['of four segments', (good) => `${good}.x`, notOne],
    ['without a signature', (good) => good.slice(0, good.lastIndexOf('.') + 1), notOne],
    ['with padding', (good) => `${good}=`, notOne],
    ['whose claims are no object', (good) => reencode(good, 1, 'W10'), notOne],
    ['whose header is no object', (good) => reencode(good, 0, 'W10'), 'its header can not be read'],
    ['with a very long header', { header: { x: 'x'.repeat(2_000) } }, 'its header can not be read'],
    ['with a crit header', { header: { crit: ['x'], x: 1 } }, 'its header can not be read'],
    ['with a b64 header', { header: { b64: false } }, 'its header can not be read'],
    ['without typ', { header: { typ: undefined } }, 'its typ is not dpop+jwt'],
    ['with the typ JWT', { header: { typ: 'JWT' } }, 'its typ is not dpop+jwt'],
    ['with another case of typ', { header: { typ: 'DPoP+jwt' } }, 'its typ is not dpop+jwt'],
    ['with a media type as typ', { header: { typ: 'application/dpop+jwt' } }, 'its typ is not dpop+jwt'],
    ['without alg', { header: { alg: undefined } }, 'its alg is not allowed'],
    ['with the alg none', { header: { alg: 'none' } }, 'its alg is not allowed'],
    ['with a symmetric alg', { header: { alg: 'HS256' } }, 'its alg is not allowed'],
    ['with an unknown alg', { header: { alg: 'ES256K' } }, 'its alg is not allowed'],
    ['with the alg of another curve', { header: { alg: 'ES384' } }, 'its jwk does not fit its alg'],
    ['with the alg of another type of key', { header: { alg: 'EdDSA' } }, 'its jwk does not fit its alg'],
    ['without jwk', { header: { jwk: undefined } }, jwkReason('it is not an object')],
    ['whose jwk is a text', { header: { jwk: JSON.stringify(jwk) } }, jwkReason('it is not an object')],
    [
      'whose jwk is private',
      { header: { jwk: { ...jwk, d: x } } },
      jwkReason('it holds secret key material'),
    ],
    [
      'whose jwk is symmetric',
      { header: { jwk: { ...jwk, k: x } } },
      jwkReason('it holds secret key material'),
    ],
    [
      'whose jwk is an octet key',
      { header: { jwk: { kty: 'oct' } } },
      jwkReason('its kty or crv is not supported'),
    ],
    [
      'whose jwk is for encryption',
      { header: { jwk: { ...jwk, use: 'enc' } } },
      jwkReason('it is for encryption'),
    ],
    ['whose jwk lacks a coordinate', { header: { jwk: { kty, crv, x } } }, jwkReason('it is malformed')],
    [
      'whose jwk is no point of the curve',
      { header: { jwk: { ...jwk, y: x } } },
      'its jwk does not fit its alg',
    ],
    [
      'whose jwk is on another curve',
      { header: { jwk: curveKey('secp256k1') } },
      jwkReason('its kty or crv is not supported'),
    ],
    [
      'whose jwk is a short RSA key',
      { header: { alg: 'RS256', jwk: rsaKey({}, 2_040) } },
      jwkReason('its modulus is under 2048 bits'),
    ],
    ['with the signature of another key', { header: { jwk: thief.key.jwk } }, 'its signature is invalid'],
    ['with a changed signature', { forged: true }, 'its signature is invalid'],
    ['with a changed claim', (good) => reencode(good, 1, changed(good)), 'its signature is invalid'],
    ...[undefined, 5, '', 'x'.repeat(257)].map((jti): [string, Proof, string] => [
      `with a jti that is ${JSON.stringify(jti)?.slice(0, 5)}`,
      { claims: { jti } },
      'its jti is not a string of 1 to 256 characters',
    ]),
    ...[undefined, 'POST', 'get', 'GET ', ['GET']].map((htm): [string, Proof, string] => [
      `with an htm that is ${JSON.stringify(htm)}`,
      { claims: { htm } },
      'its htm is not the method of the request',
    ]),
    ...[undefined, 5, [url]].map((htu): [string, Proof, string] => [
      `with an htu that is ${JSON.stringify(htu)}`,
      { claims: { htu } },
      'its htu is not a string',
    ]),
    ['with another htu', { claims: { htu: `${baseUrl}/optional` } }, 'its htu is not the URL of the request'],
    ...[undefined, token, thief.jkt, [client.jkt]].map((ath): [string, Proof, string] => [
      `with an ath that is ${JSON.stringify(ath)?.slice(0, 8)}`,
      { claims: { ath } },
      'its ath is not the hash of the access token',
    ]),
    ...[undefined, '1700000000', [1]].map((iat): [string, Proof, string] => [
      `with an iat that is ${JSON.stringify(iat)}`,
      { claims: { iat } },
      'its iat is not a number',
    ]),
    [
      'with an iat of a minute and the tolerance ago',
      { claims: { iat: now - 65 } },
      'its iat is too long ago',
    ],
    [
      'with an iat that is ahead by more than the tolerance',
      { claims: { iat: now + 5.001 } },
      'its iat is in the future',
    ],
    ['with an iat in milliseconds', { claims: { iat: now * 1000 } }, 'its iat is in the future'],
    ['with an exp in the past', { claims: { exp: now - 5 } }, 'its exp has passed'],
    ['with an exp that is a text', { claims: { exp: String(now + 60) } }, 'its exp has passed'],
    ['with an exp that is infinite', withRawClaim('exp', '1e999'), 'its exp has passed'],
    ['with an nbf that is infinite', withRawClaim('nbf', '-1e999'), 'its nbf lies ahead'],
    ['with an nbf that is null', { claims: { nbf: null } }, 'its nbf lies ahead'],
    ['with an nbf in the future', { claims: { nbf: now + 6 } }, 'its nbf lies ahead'],
  ]
  for (const [what, proof, reason] of rows) {
    test(`a proof ${what} is refused`, async (t) => {
      t.assert.deepEqual(await answerTo(t, proof), ['invalid_dpop_proof', reason])
    })
  }

  test('the DPoP scheme without a proof is refused', async (t) => {
    const response = await app.inject({ url: '/secured', headers: { authorization: `DPoP ${token}` } })
    t.assert.equal(codeOf(response), 'invalid_dpop_proof')
  })

  test('a proof signed by HMAC with the public key is refused', async (t) => {
    const pem = 'x'.repeat(64)
    const claims = { jti: 'a', htm: 'GET', htu: url, iat: now }
    const proof = encodeToken({ typ: 'dpop+jwt', alg: 'HS256', jwk }, claims, secretSigner('HS256', pem))
    t.assert.equal((await answerTo(t, () => proof))[0], 'invalid_dpop_proof')
  })

  test('an alg that dpop.algorithms does not list is refused', async (t) => {
    const strict = await createDPoPApp(issuer, { baseUrl, algorithms: ['EdDSA'] })
    t.after(() => strict.close())
    t.assert.deepEqual(await answerTo(t, {}, strict), ['invalid_dpop_proof', 'its alg is not allowed'])
  })

  test('a short proofMaxAge is kept', async (t) => {
    const strict = await createDPoPApp(issuer, { baseUrl, proofMaxAge: 1_000 })
    t.after(() => strict.close())
    const old = { claims: { iat: now - 6 } }
    t.assert.deepEqual(await answerTo(t, old, strict), ['invalid_dpop_proof', 'its iat is too long ago'])
    t.assert.deepEqual(await answerTo(t, {}, strict), [200, undefined])
  })
})

suite('the key of a proof', () => {
  test('a proof by another key than the token names is refused as not bound', async (t) => {
    for (let count = 0; count < 2; count += 1) {
      t.assert.equal(codeOf(await callWithProof(app, token, { key: thief.key })), 'invalid_binding')
    }
    t.assert.equal(codeOf(await callWithProof(app, token)), 200)
    t.assert.equal(codeOf(await callWithProof(app, token, { key: thief.key })), 'invalid_binding')
  })

  test('a proof with the header of a known key and another signature is refused', async (t) => {
    t.assert.equal(codeOf(await callWithProof(app, token)), 200)
    const claims = { jti: 'a', htm: 'GET', htu: url, iat: now }
    const forgery = encodeToken({ typ: 'dpop+jwt', alg: 'ES256', jwk }, claims, keySigner(thief.key))
    t.assert.equal((await answerTo(t, () => forgery))[0], 'invalid_dpop_proof')
    t.assert.equal(codeOf(await callWithProof(app, token, { forged: true })), 'invalid_dpop_proof')
  })

  test('a known key with another header is checked again', async (t) => {
    t.assert.equal(codeOf(await callWithProof(app, token)), 200)
    t.assert.equal(codeOf(await callWithProof(app, token, { header: { typ: 'JWT' } })), 'invalid_dpop_proof')
    t.assert.equal(codeOf(await callWithProof(app, token, { header: { kid: 'a' } })), 200)
  })

  test('a token of a client is not accepted with the proof of another one', async (t) => {
    const stolen = issuer.token({}, { boundTo: client })
    const headers = thief.headers({ url, token: stolen })
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 'invalid_binding')
  })
})

/** A proof with a claim that `JSON.stringify` doesn't write. Its signature is not valid, but is checked after the claims. */
function withRawClaim(name: string, value: string): (good: string) => string {
  return (good) => {
    const claims = Buffer.from(good.split('.')[1]!, 'base64url').toString()
    const changedClaims = claims.replace('{', `{"${name}":${value},`)
    return reencode(good, 1, Buffer.from(changedClaims).toString('base64url'))
  }
}

/** The claims of a proof with another jti. */
function changed(good: string): string {
  const claims = JSON.parse(Buffer.from(good.split('.')[1]!, 'base64url').toString()) as object
  return Buffer.from(JSON.stringify({ ...claims, jti: 'another' })).toString('base64url')
}
