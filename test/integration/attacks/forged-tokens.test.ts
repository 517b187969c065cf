import { createHmac, createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { exportSPKI, importJWK, type CryptoKey } from 'jose'
import { call, createApp, readAnswer } from '../../helpers/app.ts'
import { allChangedTokens, changedTokens } from '../../helpers/changed-tokens.ts'
import { createKeyPair, sign, LocalIssuer, unsignedToken } from '../../helpers/issuer.ts'

/** Tokens that an attacker without the key of the issuer can make. Each is refused with its code. */

const key = await createKeyPair('RS256', 'known')
const issuer = await LocalIssuer.start({ key })
const app = await createApp({ issuer: issuer.issuer, audience: 'api' })
test.after(() => Promise.all([app.close(), issuer.close()]))

test('the token that the forged tokens are made from is accepted', async (t) => {
  const response = await call(app, await issuer.token())
  t.assert.equal(response.statusCode, 200)
})

suite('no signature', () => {
  for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', '']) {
    for (const signature of ['', 'AAAA']) {
      test(`a token with alg ${JSON.stringify(alg)} and the signature "${signature}" is refused for its algorithm`, async (t) => {
        const token = unsignedToken({ alg, kid: 'known' }, issuer.claims(), signature)
        t.assert.equal(readAnswer(await call(app, token)).code, 'invalid_algorithm')
      })
    }
  }

  for (const alg of [undefined, null, 1, ['RS256'], { RS256: 1 }, 'constructor', '__proto__']) {
    test(`a token with alg ${JSON.stringify(alg)} is refused for its algorithm`, async (t) => {
      const token = unsignedToken({ alg, kid: 'known' }, issuer.claims(), 'AAAA')
      t.assert.equal(readAnswer(await call(app, token)).code, 'invalid_algorithm')
    })
  }

  for (const signature of ['', 'A', 'AA', 'AAAA', '!!!!', '=']) {
    test(`a token with the signature "${signature}" is refused for its signature`, async (t) => {
      const token = unsignedToken({ alg: 'RS256', kid: 'known' }, issuer.claims(), signature)
      t.assert.equal(readAnswer(await call(app, token)).code, 'token_invalid_signature')
    })
  }
})

suite('HMAC with the public key', async () => {
  const publicKey = (await importJWK(key.jwk, 'RS256')) as CryptoKey
  const pem = await exportSPKI(publicKey)
  const keyObject = createPublicKey({ key: { ...key.jwk }, format: 'jwk' })
  const forms: Record<string, string | Buffer> = {
    'the PEM of the public key': pem,
    'the PEM without its last newline': pem.trim(),
    'the PEM without armour': pem.replace(/-----.*-----|\n/g, ''),
    'the PKCS#1 PEM of the public key': keyObject.export({ type: 'pkcs1', format: 'pem' }),
    'the DER of the public key': keyObject.export({ type: 'spki', format: 'der' }),
    'the JWK of the public key': JSON.stringify(key.jwk),
    'the JWK Set': JSON.stringify({ keys: [key.jwk] }),
    'the modulus of the public key': Buffer.from(key.jwk.n!, 'base64url'),
    'the kid': 'known',
    'an empty key': '',
  }
  for (const [form, secret] of Object.entries(forms)) {
    for (const [alg, hash] of [
      ['HS256', 'sha256'],
      ['HS384', 'sha384'],
      ['HS512', 'sha512'],
    ] as const) {
      test(`a token that is signed by ${alg} with ${form} is refused for its algorithm`, async (t) => {
        const input = unsignedToken({ alg, kid: 'known' }, issuer.claims()).slice(0, -1)
        const signature = createHmac(hash, secret).update(input).digest('base64url')
        t.assert.equal(readAnswer(await call(app, `${input}.${signature}`)).code, 'invalid_algorithm')
      })
    }
  }

  for (const alg of ['RS256', 'ES256', 'PS256']) {
    test(`a token with an HMAC of the public key as ${alg} signature is refused`, async (t) => {
      const input = unsignedToken({ alg, kid: 'known' }, issuer.claims()).slice(0, -1)
      const signature = createHmac('sha256', pem).update(input).digest('base64url')
      t.assert.equal(readAnswer(await call(app, `${input}.${signature}`)).status, 401)
    })
  }
})

suite('keys and URLs in a token', () => {
  test('no request is sent to a URL that a token names', async (t) => {
    let visits = 0
    const trap = createServer((_request, response) => {
      visits += 1
      response.end(JSON.stringify({ keys: [attacker.jwk] }))
    })
    const attacker = await createKeyPair('RS256', 'known')
    t.after(() => trap.close())
    trap.listen(0, '127.0.0.1')
    await once(trap, 'listening')
    const address = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`
    const before = issuer.requests.length
    const headers = [
      { jku: `${address}/jwks` },
      { x5u: `${address}/cert` },
      { jku: `${address}/jwks`, kid: `${address}/jwks` },
      { kid: '../../jwks' },
      { jwk: attacker.jwk },
      { x5c: ['MIIB'] },
      { jwk: attacker.jwk, kid: undefined },
    ]
    for (const header of headers) {
      const response = await call(app, await sign(attacker, issuer.claims(), header))
      t.assert.equal(response.statusCode, 401, JSON.stringify(header))
    }
    for (const iss of [address, `${issuer.issuer}@${address.slice(7)}`, `${issuer.issuer}.evil.example`]) {
      const response = await call(app, await sign(attacker, issuer.claims({ iss })))
      t.assert.equal(readAnswer(response).code, 'invalid_claims', iss)
    }
    t.assert.equal(visits, 0)
    const usual = new Set(issuer.requests.slice(0, before))
    const others = issuer.requests.slice(before).filter((path) => !usual.has(path))
    t.assert.deepEqual(others, [])
  })

  test('a token of an issuer that is not configured causes no request', async (t) => {
    await using quiet = await LocalIssuer.start()
    const fresh = await createApp({ issuer: quiet.issuer, audience: 'api' })
    t.after(() => fresh.close())
    for (const iss of [
      'https://evil.example',
      `${quiet.issuer}/`,
      [quiet.issuer],
      { a: 1 },
      1,
      true,
      null,
      undefined,
      '',
    ]) {
      t.assert.equal(
        readAnswer(await call(fresh, await quiet.token({ claims: { iss } }))).code,
        'invalid_claims',
      )
    }
    t.assert.deepEqual(quiet.requests, [])
  })
})

suite('a changed token', () => {
  const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
  for (const alg of algorithms) {
    // One of each key type is enough to change all characters: decoding doesn't depend on the hash or the padding.
    const isFull = alg === 'RS256' || alg === 'ES256' || alg === 'EdDSA'
    const change = isFull ? 'any changed character' : 'a changed character in any segment'
    test(`a token with ${alg} and ${change} is refused`, async (t) => {
      await using other = await LocalIssuer.start({ key: await createKeyPair(alg) })
      const target = await createApp({ issuer: other.issuer, audience: 'api' })
      t.after(() => target.close())
      const token = await other.token()
      t.assert.equal((await call(target, token)).statusCode, 200)
      for (const changed of isFull ? allChangedTokens(token) : changedTokens(token)) {
        t.assert.equal((await call(target, changed)).statusCode, 401, changed)
      }
    })
  }

  test('a token with more or fewer characters at its end is refused', async (t) => {
    const token = await issuer.token()
    for (const changed of [
      `${token}A`,
      `${token}AAAA`,
      `${token}=`,
      `${token}.`,
      token.slice(0, -1),
      `${token}%00`,
    ]) {
      t.assert.equal((await call(app, changed)).statusCode, 401)
    }
  })

  test('a token with the parts of two good tokens is refused', async (t) => {
    const [first, second] = [await issuer.token(), await issuer.token({ claims: { sub: 'admin' } })]
    const [header, , signature] = first.split('.')
    t.assert.equal(
      readAnswer(await call(app, `${header}.${second.split('.')[1]}.${signature}`)).code,
      'token_invalid_signature',
    )
  })
})

test('no answer contains text of the token', async (t) => {
  const marker = 'm4rk3r'
  const tokens = [
    await issuer.token({ claims: { iss: marker } }),
    await issuer.token({ claims: { aud: marker } }),
    await issuer.token({ header: { kid: marker } }),
    await issuer.token({ header: { typ: `${marker}+jwt` } }),
    unsignedToken({ alg: marker, kid: 'known' }, issuer.claims(), marker),
    unsignedToken({ alg: 'RS256', kid: 'known', crit: [marker] }, issuer.claims(), marker),
    marker,
    `${marker} ${marker}`,
  ]
  for (const token of tokens) {
    const response = await call(app, token)
    t.assert.equal(response.statusCode, 401)
    t.assert.equal(JSON.stringify([response.headers, response.body]).includes(marker), false)
  }
})

test('an Authorization header with strange bytes is answered 401', async (t) => {
  const strange = [
    '\u00e9',
    '\u00ff'.repeat(100),
    'Bearer \u00a0',
    'Bearer \u00e9.\u00e9.\u00e9',
    `Bearer ${'['.repeat(5000)}`,
    'Bearer ..',
    'Bearer .',
    `Bearer ${Buffer.from('['.repeat(9_000)).toString('base64url')}.e30.`,
  ]
  for (const authorization of strange) {
    const response = await app.inject({ url: '/secured', headers: { authorization } })
    t.assert.equal(response.statusCode, 401, authorization.slice(0, 20))
  }
})
