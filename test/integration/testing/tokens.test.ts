import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { JwsAlgorithm } from '../../../lib/jwt/algorithms.ts'
import {
  createTestIssuer,
  createTestKey,
  type TestClaims,
  type TestIssuer,
  type TestTokenOptions,
} from '../../../lib/testing/index.ts'
import { call, createApp } from '../../helpers/app.ts'

const issuer = await createTestIssuer()
const app = await createApp(issuer.options)

async function result(token: string): Promise<unknown> {
  const answer = await call(app, token)
  return answer.json<{ code?: string }>().code ?? answer.statusCode
}

suite('tokens of a test issuer', () => {
  test('an application with the options of a test issuer accepts its tokens', async (t) => {
    t.assert.equal(await result(issuer.token()), 200)
  })

  test('a token of a test issuer is an RFC 9068 access token for ten minutes by default', async (t) => {
    await using strict = await createApp({ ...issuer.options, profile: 'rfc9068' })
    const token = issuer.token()
    t.assert.equal((await call(strict, token)).statusCode, 200)
    const { iat, exp, jti, ...claims } = decodeJwt(token)
    t.assert.deepEqual(claims, { iss: issuer.issuer, aud: 'api', sub: 'someone', client_id: 'client' })
    t.assert.equal(exp! - iat!, 600)
    t.assert.notEqual(jti, decodeJwt(issuer.token()).jti)
    t.assert.deepEqual(decodeProtectedHeader(token), {
      alg: 'ES256',
      kid: issuer.key.jwk.kid,
      typ: 'at+jwt',
    })
  })

  test('a token of a test issuer has the given claims and header parameters, without undefined ones', (t) => {
    const claims = { sub: undefined, scope: 'read:ping', aud: 5, more: { a: [1] } }
    const header = { typ: undefined, kid: 'other', more: true }
    const token = issuer.token(claims, { header })
    const { sub, scope, aud, more } = decodeJwt<object>(token)
    t.assert.deepEqual([sub, scope, aud, more], [undefined, 'read:ping', 5, { a: [1] }])
    t.assert.deepEqual(decodeProtectedHeader(token), { alg: 'ES256', kid: 'other', more: true })
  })

  test('expiresIn sets the expiry of a test token, and an exp claim replaces it', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000_900 })
    const { iat, exp } = decodeJwt(issuer.token({}, { expiresIn: 1_500 }))
    t.assert.deepEqual([iat, exp], [1_000_000, 1_000_002])
    t.assert.equal(decodeJwt(issuer.token({ exp: 7 }, { expiresIn: 1_500 })).exp, 7)
  })

  const refused: [name: string, claims: TestClaims, options: TestTokenOptions, code: string][] = [
    ['that has expired', {}, { expiresIn: -60_000 }, 'token_expired'],
    ['with a forged signature', {}, { forged: true }, 'token_invalid_signature'],
    ['for another audience', { aud: 'another' }, {}, 'invalid_audience'],
    ['of another issuer', { iss: 'https://another.example' }, {}, 'invalid_claims'],
    ['that is not valid yet', { nbf: Date.now() / 1000 + 60 }, {}, 'token_not_active'],
    ['with an unknown kid', {}, { header: { kid: 'unknown' } }, 'invalid_header'],
    ['without a signature', {}, { algorithm: 'none' }, 'invalid_algorithm'],
    ['signed with a secret', {}, { algorithm: 'HS256' }, 'invalid_algorithm'],
    ['signed with a key that is not published', {}, { key: createTestKey() }, 'invalid_header'],
    [
      'signed with another key under a published kid',
      {},
      { key: createTestKey({ kid: issuer.key.jwk.kid }) },
      'token_invalid_signature',
    ],
  ]
  for (const [name, claims, options, code] of refused) {
    test(`a test token ${name} is refused`, async (t) => {
      t.assert.equal(await result(issuer.token(claims, options)), code)
    })
  }
})

suite('algorithms of a test issuer', () => {
  const asymmetric = [
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
  ] as const
  for (const algorithm of [...asymmetric, 'EdDSA', 'Ed25519', 'HS256', 'HS384', 'HS512'] as const) {
    test(`the plugin accepts ${algorithm} tokens of a test issuer and refuses forged ones`, async (t) => {
      await using of = await createTestIssuer({ algorithm })
      await using app = await createApp(of.options)
      const token = of.token()
      t.assert.equal(decodeProtectedHeader(token).alg, algorithm)
      t.assert.equal((await call(app, token)).statusCode, 200)
      const forged = await call(app, of.token({}, { forged: true }))
      t.assert.equal(forged.json<{ code: string }>().code, 'token_invalid_signature')
      t.assert.equal((await call(app, issuer.token({ iss: of.issuer }))).statusCode, 401)
    })
  }

  test('a test issuer publishes a new key when a token is requested with another algorithm', async (t) => {
    await using of = await createTestIssuer()
    await using app = await createApp({ ...of.options, jwks: { cooldown: 0 } })
    const algorithms: (JwsAlgorithm | 'Ed25519')[] = ['ES256', 'EdDSA', 'Ed25519', 'ES384', 'EdDSA']
    for (const algorithm of algorithms) {
      t.assert.equal((await call(app, of.token({}, { algorithm }))).statusCode, 200, algorithm)
    }
    t.assert.deepEqual(
      of.keys.map(({ alg }) => alg),
      ['ES256', 'EdDSA', 'ES384'],
    )
  })

  test('a test issuer signs HS256 tokens with the given secret', async (t) => {
    const secret = 'a secret of thirty-two bytes or more'
    for (const given of [secret, Buffer.from(secret)]) {
      await using of = await createTestIssuer({ secret: given })
      await using app = await createApp({ issuer: of.issuer, audience: 'api', secret })
      t.assert.equal((await call(app, of.token())).statusCode, 200)
      t.assert.equal(decodeProtectedHeader(of.token()).kid, undefined)
    }
  })
})

suite('audience of a test issuer', () => {
  test('the audience of a test issuer is in its tokens and in its plugin options', async (t) => {
    for (const audience of ['one', ['one', 'two'], false] as const) {
      await using of = await createTestIssuer({ audience })
      await using app = await createApp(of.options)
      t.assert.equal((await call(app, of.token())).statusCode, 200)
      t.assert.deepEqual(decodeJwt(of.token()).aud, audience === false ? undefined : audience)
      t.assert.deepEqual(of.options, { issuer: of.issuer, audience })
    }
  })
})

suite('invalid arguments of token', () => {
  const invalid: [arguments: unknown[], message: RegExp][] = [
    [[null], /"token\.claims" must be a plain object/],
    [['someone'], /"token\.claims" must be a plain object/],
    [[{}, null], /"token" must be a plain object/],
    [[{}, { expireIn: 1 }], /"token\.expireIn" is unknown; known are header, expiresIn/],
    [[{}, { header: 'kid' }], /"token\.header" must be a plain object/],
    [[{}, { expiresIn: '1h' }], /"token\.expiresIn" must be a whole number of milliseconds/],
    [[{}, { expiresIn: Infinity }], /"token\.expiresIn" must be a whole number of milliseconds/],
    [
      [{}, { algorithm: 'ES256K' }],
      /"token\.algorithm" must be one of RS256, .*, EdDSA, Ed25519, HS256, .*, none$/,
    ],
    [[{}, { key: null }], /"token\.key" must be a key created by createTestKey/],
    [[{}, { key: 'key' }], /"token\.key" must be a key created by createTestKey/],
    ...['algorithm', 'jwk', 'privateKey'].map((member): [unknown[], RegExp] => [
      [{}, { key: { ...createTestKey(), [member]: {} } }],
      /"token\.key" must be a key created by createTestKey/,
    ]),
    [
      [{}, { key: createTestKey(), algorithm: 'ES256' }],
      /"token\.algorithm" must not be given together with "key"/,
    ],
    [[{}, { forged: 'yes' }], /"token\.forged" must be true or false/],
    [[{}, { forged: true, algorithm: 'none' }], /"token\.forged" must not be true if "algorithm" is none/],
  ]
  for (const [args, message] of invalid) {
    test(`token throws a TypeError for ${inspect(args, { breakLength: Infinity, depth: 2 })}`, (t) => {
      t.assert.throws(() => issuer.token(...(args as Parameters<TestIssuer['token']>)), {
        name: 'TypeError',
        message,
      })
    })
  }
})

test.after(async () => {
  await app.close()
  await issuer.close()
})
