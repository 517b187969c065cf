import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { suite, test, type TestContext } from 'node:test'
import type { AsymmetricAlgorithm } from '../../../lib/jwt/algorithms.ts'
import { JwkSet, UnusableJwkSet } from '../../../lib/jwks/jwk-set.ts'
import { curveKey, pemOf, rsaKey } from '../../helpers/jwk.ts'

const issuer = 'https://id.example.com/'
const [one, two] = [curveKey('P-256', { kid: 'one' }), curveKey('P-256', { kid: 'two' })]

function setOf(keys: unknown[], previous?: JwkSet): JwkSet {
  return new JwkSet({ keys }, issuer, previous)
}

function pemIn(set: JwkSet, kid: string | undefined, alg: AsymmetricAlgorithm = 'ES256'): string | undefined {
  return set.find(kid, alg)[0]?.pem
}

/** Counts the keys that are made from now on. */
function countMadeKeys(t: TestContext): () => number {
  const { mock } = t.mock.method(crypto, 'createPublicKey')
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  return () => mock.callCount()
}

suite('what a set holds', () => {
  test('a key is found by its kid and its algorithm', () => {
    const set = setOf([one, two])
    assert.equal(pemIn(set, 'one'), pemOf(one))
    assert.equal(pemIn(set, 'two'), pemOf(two))
    assert.deepEqual(set.skipped, [])
  })

  test('an unknown kid or algorithm finds no key', () => {
    const set = setOf([one])
    assert.deepEqual(set.find('two', 'ES256'), [])
    assert.deepEqual(set.find('one', 'ES384'), [])
    assert.deepEqual([set.has('one'), set.has('two')], [true, false])
  })

  test('a key without alg is found for each algorithm of its type', () => {
    const set = setOf([rsaKey({ kid: 'one' })])
    assert.equal(pemIn(set, 'one', 'PS512'), pemIn(set, 'one', 'RS256'))
  })

  test('good keys work in a set with bad keys, and each bad key is listed with its reason', () => {
    const set = setOf([
      null,
      'a string',
      { ...two, kid: 2 },
      { ...two, kid: 'enc', use: 'enc' },
      { kty: 'oct', kid: 'oct', k: 'AQ' },
      { ...two, kid: 'private', d: 'AQ' },
      rsaKey({ kid: 'short' }, 1024),
      JSON.parse('{"__proto__": {"kid": "two"}, "kid": "odd"}'),
      one,
      { ...two, kid: 'other curve', alg: 'ES384' },
    ])
    assert.equal(pemIn(set, 'one'), pemOf(one))
    const ec = { kty: 'EC', crv: 'P-256' }
    assert.deepEqual(set.skipped, [
      { kid: undefined, reason: 'it is not an object' },
      { kid: undefined, reason: 'it is not an object' },
      { kid: undefined, ...ec, reason: 'its kid is not a string' },
      { kid: 'enc', ...ec, use: 'enc', reason: 'it is for encryption' },
      { kid: 'oct', kty: 'oct', reason: 'it holds secret key material' },
      { kid: 'private', ...ec, reason: 'it holds secret key material' },
      { kid: 'short', kty: 'RSA', reason: 'its modulus is under 2048 bits' },
      { kid: 'odd', reason: 'its kty or crv is not supported' },
      {
        kid: 'other curve',
        ...ec,
        alg: 'ES384',
        reason: 'its alg is not supported or does not fit its kty and crv',
      },
    ])
    for (const { kid } of set.skipped) assert.equal(set.has(kid ?? 'two'), false)
  })

  test('each of two hundred keys is found', () => {
    const keys = Array.from({ length: 200 }, (_, index) => rsaKey({ kid: `key ${index}`, alg: 'RS256' }))
    const set = setOf(keys)
    for (const { kid } of keys) assert.equal(set.has(kid as string), true)
    for (const key of keys.slice(0, 10)) assert.equal(pemIn(set, key.kid as string, 'RS256'), pemOf(key))
  })

  test('a large set creates a key when it is first used, and a malformed key is not found', () => {
    const keys = Array.from({ length: 200 }, (_, index) => rsaKey({ kid: `key ${index}`, alg: 'RS256' }))
    const set = setOf([...keys, one, { ...two, y: two.x }])
    assert.deepEqual(set.skipped, [])
    assert.equal(pemIn(set, 'one'), pemOf(one))
    assert.deepEqual(set.find('two', 'ES256'), [])
    assert.equal(setOf([...keys, one], set).find('one', 'ES256')[0], set.find('one', 'ES256')[0])
  })

  test('a set of more than 10,000 keys is refused without reading its keys', () => {
    const junk = Array.from({ length: 9_999 }, () => 0)
    assert.equal(setOf([one, ...junk]).skipped.length, 9_999)
    assert.throws(() => setOf([one, ...junk, 0]), { message: 'over 10000 keys' })
  })

  test('a skipped key is listed with at most 64 characters of its kid and 32 of its kty, without members that are no strings', () => {
    const { skipped } = setOf([one, { kty: 'y'.repeat(1_000), alg: ['RS256'], kid: 'x'.repeat(1_000) }])
    const reason = 'its kty or crv is not supported'
    assert.deepEqual(skipped, [{ kid: 'x'.repeat(64), kty: 'y'.repeat(32), reason }])
  })

  test('a set keeps its keys without a time limit', (t) => {
    const set = setOf([one])
    const later = performance.now() + 100 * 365 * 24 * 3_600_000
    t.mock.method(performance, 'now', () => later)
    assert.equal(pemIn(set, 'one'), pemOf(one))
  })

  test('an unexpected error while a key is read is thrown', () => {
    const broken = {
      ...one,
      get kty(): string {
        throw new RangeError('not a bad key')
      },
    }
    assert.throws(() => setOf([one, broken]), RangeError)
  })
})

suite('large sets', () => {
  const others = Array.from({ length: 15 }, (_, index) => curveKey('Ed25519', { kid: `other ${index}` }))
  const malformed = { ...two, y: two.x }

  test('a set of sixteen entries creates every key at once', () => {
    const set = setOf([...others, malformed])
    assert.equal(set.has('two'), false)
    assert.deepEqual(set.skipped, [{ kid: 'two', kty: 'EC', crv: 'P-256', reason: 'it is malformed' }])
  })

  test('a key that was malformed in the previous set is found once it is valid', () => {
    const before = setOf([...others, malformed, one])
    assert.equal(pemIn(before, 'two'), undefined)
    assert.equal(pemIn(setOf([...others, two, one], before), 'two'), pemOf(two))
  })

  test('a large set without a usable key is refused', () => {
    const bad = Array.from({ length: 101 }, (_, index) => ({ ...malformed, kid: `bad ${index}` }))
    assert.throws(() => setOf(bad), { message: 'a JWK Set without a usable key' })
    assert.equal(pemIn(setOf([one, ...bad]), one.kid as string), pemOf(one))
  })

  test('of one hundred keys that are slow to create, one is created at first and none for the next set', (t) => {
    const slow = curveKey('P-521')
    const keys = Array.from({ length: 100 }, (_, index) => ({ ...slow, kid: `slow ${index}` }))
    const made = countMadeKeys(t)
    const set = setOf(keys)
    assert.equal(made(), 1)
    setOf(structuredClone(keys), set)
    assert.equal(made(), 1)
    assert.equal(pemIn(set, 'slow 99', 'ES512'), pemOf(slow))
  })

  test('the keys of a small set are not created again for the next set', (t) => {
    const made = countMadeKeys(t)
    const set = setOf(others)
    assert.equal(made(), 15)
    setOf(structuredClone(others), set)
    assert.equal(made(), 15)
  })
})

suite('keys of the same kid', () => {
  test('the first four keys of a kid and an algorithm are found, in their order', () => {
    const keys = Array.from({ length: 5 }, () => curveKey('P-256', { kid: 'one' }))
    const set = setOf([...keys.slice(0, 2), two, ...keys.slice(2)])
    assert.deepEqual(
      set.find('one', 'ES256').map(({ pem }) => pem),
      keys.slice(0, 4).map(pemOf),
    )
    const reason = 'it is not among the first 4 ES256 keys of its kid'
    assert.deepEqual(set.skipped, [{ kid: 'one', kty: 'EC', crv: 'P-256', reason }])
  })

  test('a key that is listed twice is no mistake and is found once', () => {
    const set = setOf([one, structuredClone(one), { ...one, use: 'sig', alg: 'ES256' }])
    assert.equal(pemIn(set, 'one'), pemOf(one))
    assert.equal(set.find('one', 'ES256').length, 1)
    assert.deepEqual(set.skipped, [])
  })

  test('copies of a key take no place of other keys with the same kid', () => {
    const other = curveKey('P-256', { kid: 'one' })
    const set = setOf([...Array.from({ length: 5 }, () => ({ ...one })), other])
    assert.deepEqual(
      set.find('one', 'ES256').map(({ pem }) => pem),
      [one, other].map(pemOf),
    )
  })

  test('keys for different algorithms may have the same kid', () => {
    const [rsa, ed] = [rsaKey({ kid: 'one', alg: 'PS256' }), curveKey('Ed25519', { kid: 'one' })]
    const set = setOf([one, rsa, ed])
    const pems = (['ES256', 'PS256', 'EdDSA'] as const).map((alg) => pemIn(set, 'one', alg))
    assert.deepEqual(pems, [one, rsa, ed].map(pemOf))
    assert.deepEqual(set.skipped, [])
  })

  for (const [name, unusable] of [
    ['an unusable key', { ...two, kid: 'one', use: 'enc' }],
    ['a shared secret', { kty: 'oct', kid: 'one', alg: 'ES256', k: 'AQ' }],
    ['a malformed key', { ...one, y: one.x }],
  ] as const) {
    test(`${name} does not hide a good key of the same kid`, () => {
      for (const keys of [
        [unusable, one],
        [one, unusable],
      ]) {
        const set = setOf(keys)
        assert.equal(pemIn(set, 'one'), pemOf(one))
        assert.equal(set.skipped.length, 1)
      }
    })
  }
})

suite('keys for tokens without kid', () => {
  const { kid: _kid, ...unnamed } = curveKey('P-256')
  const rsa = rsaKey({ kid: 'rsa' })

  test('the only key for the algorithm is found without kid, with or without a kid of its own', () => {
    const set = setOf([one, rsa])
    assert.equal(pemIn(set, undefined), pemOf(one))
    assert.equal(pemIn(set, undefined, 'PS384'), pemOf(rsa))
    assert.equal(pemIn(setOf([unnamed]), undefined), pemOf(unnamed))
  })

  test('several keys for the algorithm, or none, are not found without kid', () => {
    const set = setOf([one, { ...rsa, alg: 'RS256' }, two])
    assert.equal(pemIn(set, undefined, 'ES256'), undefined)
    assert.equal(pemIn(set, undefined, 'PS256'), undefined)
    assert.equal(pemIn(setOf([one, unnamed]), undefined), undefined)
  })

  test('unusable keys, keys for other issuers and repeated keys do not count without kid', () => {
    const others = [
      { ...two, use: 'enc' },
      { ...two, y: two.x },
      { ...two, issuer: 'https://other.example/' },
      { ...two, d: 'AQ' },
    ]
    assert.equal(pemIn(setOf([...others, one, structuredClone(one)]), undefined), pemOf(one))
  })

  test('a key without kid is found by no kid, and stays the same object in the next set', () => {
    const set = setOf([unnamed])
    for (const kid of ['', 'undefined', 'null']) {
      assert.equal(pemIn(set, kid), undefined)
      assert.equal(set.has(kid), false)
    }
    assert.deepEqual(set.kids, [])
    assert.deepEqual(set.skipped, [])
    const next = setOf([one, rsa, structuredClone(unnamed)], set)
    assert.deepEqual(next.removedSince(set), [])
    assert.equal(setOf([unnamed], next).find(undefined, 'ES256')[0], set.find(undefined, 'ES256')[0])
    assert.deepEqual(setOf([one], set).removedSince(set), [...set.find(undefined, 'ES256')])
  })

  test('a key without kid and a key with the kid "undefined" are two keys', () => {
    const set = setOf([unnamed, { ...unnamed, kid: 'undefined' }])
    assert.equal(pemIn(set, undefined), undefined)
    assert.equal(pemIn(set, 'undefined'), pemOf(unnamed))
  })

  test('in a large set no key is found without kid if more than sixteen may fit', () => {
    const slow = Array.from({ length: 17 }, (_, index) => ({ ...one, y: one.x, kid: `malformed ${index}` }))
    assert.equal(pemIn(setOf([one, ...slow.slice(2), rsa]), undefined), pemOf(one))
    assert.equal(pemIn(setOf([one, ...slow]), undefined), undefined)
  })
})

suite('a set that follows another', () => {
  test('an unchanged key stays the same object in the next set', () => {
    const before = setOf([one, two])
    const after = setOf([structuredClone(two), { ...one, use: 'sig' }], before)
    assert.equal(after.find('one', 'ES256')[0], before.find('one', 'ES256')[0])
    assert.equal(after.find('two', 'ES256')[0], before.find('two', 'ES256')[0])
    assert.equal(setOf([one], after).find('one', 'ES256')[0], before.find('one', 'ES256')[0])
  })

  test('a key that was replaced under the same kid is a new key in the next set', () => {
    const before = setOf([one])
    assert.equal(pemIn(setOf([{ ...two, kid: 'one' }], before), 'one'), pemOf(two))
    assert.equal(pemIn(before, 'one'), pemOf(one))
  })

  test('a key that is missing from the next set is not found', () => {
    const set = setOf([two], setOf([one, two]))
    assert.deepEqual(set.find('one', 'ES256'), [])
    assert.equal(set.has('one'), false)
  })
})

suite('unusual names', () => {
  const kids = [
    ...[
      '',
      ' ',
      ':',
      '%',
      '%3A',
      '%25',
      'a:b',
      'a%3Ab',
      'a b',
      'a+b',
      'a%20b',
      '\0',
      '\n',
      'é',
      'e\u0301',
      '🔑',
    ],
    ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'ES256', 'ES256:one', issuer],
  ]

  test('keys with unusual kids are found by exactly their kid', () => {
    const keys = kids.map((kid) => curveKey('P-256', { kid }))
    const set = setOf(keys)
    assert.deepEqual(
      kids.map((kid) => pemIn(set, kid)),
      keys.map(pemOf),
    )
  })

  test('unusual kids in a token find no key and cause no error', () => {
    const set = setOf([one])
    for (const kid of [...kids, '\ud800', 'one\udfff', 'ONE', 'one ', 'one\0']) {
      assert.deepEqual(set.find(kid, 'ES256'), [])
      assert.equal(set.has(kid), false)
    }
  })

  test('unusual algorithms in a token find no key and cause no error', () => {
    const set = setOf([one])
    for (const alg of ['', ':', '%', '__proto__', 'constructor', 'es256', 'ES256:one', 'none', 'HS256']) {
      assert.deepEqual(set.find('one', alg as AsymmetricAlgorithm), [])
    }
  })
})

suite('documents that are not JWK Sets', () => {
  const others = [
    undefined,
    null,
    true,
    1,
    'keys',
    [],
    [one],
    {},
    { keys: null },
    { keys: {} },
    { keys: 'one' },
  ]
  for (const document of [...others, JSON.parse('{"__proto__": {"keys": []}}') as unknown]) {
    test(
      `${JSON.stringify(document) ?? 'undefined'} is not a JWK Set`.replaceAll(/\{"kty.*\}/g, 'a key'),
      () => {
        assert.throws(() => new JwkSet(document, issuer), new UnusableJwkSet('not a JWK Set'))
      },
    )
  }

  for (const [name, keys] of [
    ['an empty set', []],
    ['a set of bad keys', [null, { ...one, use: 'enc' }, rsaKey({ kid: 'short' }, 1024)]],
  ] as const) {
    test(`${name} is refused as a JWK Set`, () => {
      assert.throws(
        () => setOf([...keys]),
        (error) => error instanceof UnusableJwkSet && error.skipped.length === keys.length,
      )
    })
  }
})
