import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import { importJwk, malformed } from '../../../lib/jwks/jwk.ts'
import { curveKey, jwkOf, pemOf, rsaKey, type PublishedKey } from '../../helpers/jwk.ts'

const kid = 'one'
const issuer = 'https://id.example.com/'
const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']

/** Supported types of keys and their algorithms. */
const kinds: [name: string, jwk: PublishedKey, algorithms: string[]][] = [
  ['RSA', rsaKey({ kid }), rsa],
  ['P-256', curveKey('P-256', { kid }), ['ES256']],
  ['P-384', curveKey('P-384', { kid }), ['ES384']],
  ['P-521', curveKey('P-521', { kid }), ['ES512']],
  ['Ed25519', curveKey('Ed25519', { kid }), ['EdDSA']],
]

const good = curveKey('P-256', { kid })
const goodRsa = rsaKey({ kid })

/** Imports a usable JWK. */
function imported(jwk: unknown): { kid: string | undefined; alg: string; pem: string | undefined }[] {
  const keys = importJwk(jwk, issuer)
  if (typeof keys === 'string') throw new Error(keys)
  return keys.map(({ kid, alg, pem }) => ({ kid, alg, pem }))
}

/** Returns the reason why a JWK is not usable. */
function reasonOf(jwk: unknown): string {
  const keys = importJwk(jwk, issuer)
  if (typeof keys === 'string') return keys
  return keys.every(({ pem }) => pem === undefined) ? malformed : 'it is usable'
}

function algorithmsOf(jwk: unknown): string[] {
  return imported(jwk).map(({ alg }) => alg)
}

suite('keys that verify', () => {
  for (const [name, jwk, algorithms] of kinds) {
    test(`a key of type ${name} without alg is for ${algorithms.join(', ')}`, () => {
      assert.deepEqual(
        imported(jwk),
        algorithms.map((alg) => ({ kid, alg, pem: pemOf(jwk) })),
      )
    })

    for (const alg of algorithms) {
      test(`a key with the alg ${alg} is only for ${alg}`, () => {
        assert.deepEqual(imported({ ...jwk, alg }), [{ kid, alg, pem: pemOf(jwk) }])
      })
    }
  }

  test('the PEM of an imported JWK equals the PEM of its public key', () => {
    const pairs = [
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      generateKeyPairSync('ed25519'),
    ]
    for (const { publicKey } of pairs) {
      const [key] = imported({ ...jwkOf(publicKey), kid })
      assert.equal(key!.pem, publicKey.export({ type: 'spki', format: 'pem' }))
    }
  })

  test('Ed25519 and EdDSA are one algorithm', () => {
    assert.deepEqual(algorithmsOf(curveKey('Ed25519', { kid, alg: 'Ed25519' })), ['EdDSA'])
  })

  for (const [name, e] of [
    ['3', 'Aw'],
    ['3 with zeros before it', 'AAAAAAAAAAAAAAAD'],
    ['2 ** 31 - 1', 'f____w'],
  ] as const) {
    test(`the exponent ${name} is accepted`, () => {
      assert.deepEqual(algorithmsOf({ ...goodRsa, alg: 'RS256', e }), ['RS256'])
    })
  }

  for (const bits of [2_048, 2_049, 3_072, 8_192]) {
    test(`an RSA key may have ${bits} bits`, () => {
      assert.deepEqual(algorithmsOf(rsaKey({ kid, alg: 'RS256' }, bits)), ['RS256'])
    })
  }

  test('a key with the use sig and verify in key_ops is usable', () => {
    assert.deepEqual(algorithmsOf({ ...good, use: 'sig', key_ops: ['sign', 'verify'] }), ['ES256'])
  })

  test('a private member that is null is no secret key material', () => {
    const jwk = { ...good, d: null, k: null, oth: null }
    assert.deepEqual(imported(jwk), imported(good))
  })

  for (const [named, of] of [
    [issuer, issuer],
    ['https://login.example/{tenantid}/v2.0', 'https://login.example/8b7c1e8e-0000/v2.0'],
    ['https://sts.example/{tenantid}/', 'https://sts.example/a/'],
    ['https://{tenantid}', 'https://a'],
  ] as const) {
    test(`a JWK that names the issuer ${named} is used for ${of}`, () => {
      assert.deepEqual(importJwk({ ...good, issuer: named }, of), importJwk(good, of))
    })
  }

  test('the crv of an RSA key is ignored', () => {
    assert.deepEqual(imported({ ...goodRsa, crv: 'X25519' }), imported(goodRsa))
  })

  test('a JWK without kid is a key without kid', () => {
    assert.deepEqual(imported(without(good, 'kid')), [{ kid: undefined, alg: 'ES256', pem: pemOf(good) }])
  })

  test('a certificate in a JWK is ignored', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    const x5c = [other.export({ type: 'spki', format: 'der' }).toString('base64')]
    const [key] = imported({ ...good, x5c, x5t: 'AA', x5u: 'https://nope.invalid/' })
    assert.equal(key!.pem, pemOf(good))
  })

  test('unknown members of a JWK are ignored', () => {
    assert.deepEqual(imported({ ...good, ext: true, constructor: 1, exp: 1 }), imported(good))
  })

  test('the content of a __proto__ member of a JWK is ignored', () => {
    const jwk: unknown = JSON.parse(
      `{"__proto__": {"use": "enc", "key_ops": [], "d": "AA", "alg": "HS256"}, ${JSON.stringify(good).slice(1)}`,
    )
    assert.deepEqual(imported(jwk), imported(good))
  })

  for (const odd of ['', ' ', '__proto__', 'constructor', 'a:b', '%', '\0', '🔑']) {
    test(`${JSON.stringify(odd)} is accepted as a kid`, () => {
      assert.equal(imported({ ...good, kid: odd })[0]!.kid, odd)
    })
  }
})

const encryption = 'it is for encryption'
const otherIssuer = 'it is for another issuer'
const noObject = 'it is not an object'
const noKid = 'its kid is not a string'
const noVerifying = 'its key_ops do not include verify'
const secret = 'it holds secret key material'
const unsupported = 'its kty or crv is not supported'
const unfitting = 'its alg is not supported or does not fit its kty and crv'
const short = 'its modulus is under 2048 bits'
const weak = 'its exponent is under 3'

function without(jwk: PublishedKey, name: string): PublishedKey {
  return { ...jwk, [name]: undefined }
}

const refused: [name: string, jwk: unknown, reason: string][] = [
  ['null', null, noObject],
  ['undefined', undefined, noObject],
  ['a string', JSON.stringify(good), noObject],
  ['a number', 1, noObject],
  ['a list', [good], noObject],

  ['a number as kid', { ...good, kid: 1 }, noKid],
  ['null as kid', { ...good, kid: null }, noKid],
  ['a list as kid', { ...good, kid: ['one'] }, noKid],
  ['a kid with an unpaired surrogate', { ...good, kid: 'a\ud800' }, noKid],

  ['a key for encryption', { ...good, use: 'enc' }, encryption],
  ['X25519', curveKey('X25519', { kid }), encryption],
  ['X448', curveKey('X448', { kid }), encryption],
  ...['RSA1_5', 'RSA-OAEP', 'RSA-OAEP-256'].map(
    (alg) => [`a key for ${alg}`, { ...goodRsa, alg }, encryption] as [string, unknown, string],
  ),
  ['a key for ECDH-ES', { ...good, alg: 'ECDH-ES' }, encryption],
  ['a key for ECDH-ES+A256KW', { ...good, alg: 'ECDH-ES+A256KW' }, encryption],
  ['X25519 with the use sig', curveKey('X25519', { kid, use: 'sig' }), unsupported],
  ['a use in capitals', { ...good, use: 'SIG' }, 'its use is not sig'],
  ['a list as use', { ...good, use: ['sig'] }, 'its use is not sig'],
  ['a key that signs only', { ...good, key_ops: ['sign'] }, noVerifying],
  ['empty key_ops', { ...good, key_ops: [] }, noVerifying],
  ['key_ops that is not a list', { ...good, key_ops: 'verify' }, noVerifying],
  ['an object with a length as key_ops', { ...good, key_ops: { 0: 'verify', length: 1 } }, noVerifying],

  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].map(
    (member) => [`a key with ${member}`, { ...goodRsa, [member]: 'AQ' }, secret] as [string, unknown, string],
  ),
  ['a private EC key', { ...good, d: 'AQ' }, secret],
  ['an empty private member', { ...good, d: '' }, secret],
  ['a shared secret', { kty: 'oct', kid, k: 'AQ' }, secret],

  ['a shared secret without its bytes', { kty: 'oct', kid, alg: 'HS256' }, unsupported],
  ['a key without kty', without(good, 'kty'), unsupported],
  ['an unknown kty', { ...good, kty: 'AKP' }, unsupported],
  ['a kty in small letters', { ...goodRsa, kty: 'rsa' }, unsupported],
  ['constructor as kty', { ...good, kty: 'constructor' }, unsupported],
  ['an EC key without crv', without(good, 'crv'), unsupported],
  ['secp256k1', curveKey('secp256k1', { kid }), unsupported],
  ['a secp256k1 key with the alg ES256', curveKey('secp256k1', { kid, alg: 'ES256' }), unsupported],
  ['Ed448', curveKey('Ed448', { kid }), unsupported],
  ['an Ed448 key with the alg EdDSA', curveKey('Ed448', { kid, alg: 'EdDSA' }), unsupported],
  ['an EC key with the curve of an OKP key', { ...good, crv: 'Ed25519' }, unsupported],

  ['an unknown alg', { ...goodRsa, alg: 'RS1' }, unfitting],
  ['alg none', { ...goodRsa, alg: 'none' }, unfitting],
  ['HS256 on an RSA key', { ...goodRsa, alg: 'HS256' }, unfitting],
  ['an alg for encryption with the use sig', { ...goodRsa, alg: 'RSA-OAEP', use: 'sig' }, unfitting],
  ['RS256 on an EC key', { ...good, alg: 'RS256' }, unfitting],
  ['ES256 on P-384', curveKey('P-384', { kid, alg: 'ES256' }), unfitting],
  ['ES384 on P-256', { ...good, alg: 'ES384' }, unfitting],
  ['EdDSA on P-256', { ...good, alg: 'EdDSA' }, unfitting],
  ['an alg in small letters', { ...good, alg: 'es256' }, unfitting],
  ['null as alg', { ...good, alg: null }, unfitting],
  ['a list as alg', { ...good, alg: ['ES256'] }, unfitting],
  ['constructor as alg', { ...good, alg: 'constructor' }, unfitting],

  ['the private part of a key for encryption', { ...good, use: 'enc', d: 'AQ' }, secret],
  ...[
    'https://id.example.com',
    'https://id.example.com/{tenantid}',
    'https://id.example.com/{tenantid}/',
    'https://id.example.co{tenantid}m/',
    'https:{tenantid}id.example.com/',
    'https://{tenantid}/{tenantid}',
    '{tenantid}',
    '',
    null,
    [issuer],
  ].map(
    (named) =>
      [`a key of the issuer ${JSON.stringify(named)}`, { ...good, issuer: named }, otherIssuer] as [
        string,
        unknown,
        string,
      ],
  ),

  ['a modulus over 8192 bits', rsaKey({ kid }, 8_193), 'its modulus is over 8192 bits'],
  ['the exponent 2 ** 31', { ...goodRsa, e: 'gAAAAA' }, 'its exponent is over 31 bits'],
  ['an exponent as long as the modulus', { ...goodRsa, e: goodRsa.n }, 'its exponent is over 31 bits'],
  ['a modulus of zeros', { ...goodRsa, n: 'A'.repeat(400) }, 'its modulus is under 2048 bits'],
  ['an RSA key without n', without(goodRsa, 'n'), malformed],
  ['an RSA key without e', without(goodRsa, 'e'), malformed],
  ['a number as n', { ...goodRsa, n: 5 }, malformed],
  ['an EC key without y', without(good, 'y'), malformed],
  ['a point that is not on the curve', { ...good, y: good.x }, malformed],
  ['a coordinate of another length', { ...good, x: 'AQ' }, malformed],
  ['an OKP key without x', without(curveKey('Ed25519', { kid }), 'x'), malformed],
  ['an OKP key that is too short', { ...curveKey('Ed25519', { kid }), x: 'AQ' }, malformed],
  [
    'a key with its members in __proto__',
    JSON.parse(`{"kid": "one", "__proto__": ${JSON.stringify(good)}}`),
    unsupported,
  ],
  [
    'a key with its n in __proto__',
    JSON.parse(`{"kid": "one", "kty": "RSA", "e": "AQAB", "__proto__": ${JSON.stringify({ n: goodRsa.n })}}`),
    malformed,
  ],

  ['an RSA key of 2047 bits', rsaKey({ kid }, 2047), short],
  ['an RSA key of 1024 bits', rsaKey({ kid }, 1024), short],
  ['an RSA key of 2047 bits with zeros before them', { ...goodRsa, n: padded(rsaKey({}, 2047).n) }, short],
  ['an empty n', { ...goodRsa, n: '' }, short],
  ['an n that is not base64url', { ...goodRsa, n: '!!!!' }, short],
  ['the exponent 1', { ...goodRsa, e: 'AQ' }, weak],
  ['the exponent 2', { ...goodRsa, e: 'Ag' }, weak],
  ['the exponent 0', { ...goodRsa, e: '' }, weak],
]

/** Puts sixteen zero bytes before a number. */
function padded(n: unknown): string {
  return Buffer.concat([Buffer.alloc(16), Buffer.from(n as string, 'base64url')]).toString('base64url')
}

suite('keys that are never used', () => {
  for (const [name, jwk, reason] of refused) {
    test(`${name} is never used`, () => {
      assert.equal(reasonOf(jwk), reason)
    })
  }
})
