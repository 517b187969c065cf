import { suite, test } from 'node:test'
import { createTestIssuer, createTestKey, type TestIssuerOptions } from '../../../lib/testing/index.ts'

suite('wrong options', () => {
  const wrong: [options: unknown, message: RegExp][] = [
    [null, /"createTestIssuer" must be a plain object/],
    [{ audiense: 'api' }, /"createTestIssuer\.audiense" is unknown; known are audience, algorithm/],
    [{ audience: '' }, /"createTestIssuer\.audience" must be a non-empty string/],
    [{ audience: [] }, /"createTestIssuer\.audience" must be a list with at least one entry/],
    [{ audience: ['one', 2] }, /"createTestIssuer\.audience\[1\]" must be a non-empty string/],
    [{ algorithm: 'none' }, /"createTestIssuer\.algorithm" must be one of RS256, .*, HS512$/],
    [
      { algorithm: 'ES256', secret: 'a'.repeat(32) },
      /"createTestIssuer\.algorithm" must be HS256, HS384 or HS512 beside/,
    ],
    [
      { algorithm: 'ES256', key: createTestKey() },
      /"createTestIssuer\.algorithm" must not be given beside key/,
    ],
    [{ secret: '' }, /"createTestIssuer\.secret" must be text or bytes, at least 32 bytes long/],
    [{ secret: 'a'.repeat(31) }, /"createTestIssuer\.secret" must be text or bytes, at least 32 bytes long/],
    [
      { secret: new Uint8Array(31) },
      /"createTestIssuer\.secret" must be text or bytes, at least 32 bytes long/,
    ],
    [{ secret: 32 }, /"createTestIssuer\.secret" must be text or bytes, at least 32 bytes long/],
    [{ secret: 'a'.repeat(32), algorithm: 'HS512' }, /"createTestIssuer\.secret" .*, at least 64 bytes long/],
    [{ key: {} }, /"createTestIssuer\.key" must be a key of createTestKey/],
    [{ path: 'realms' }, /"createTestIssuer\.path" must begin with a slash and have no query/],
    [{ path: '/a?b' }, /"createTestIssuer\.path" must begin with a slash and have no query/],
    [{ path: null }, /"createTestIssuer\.path" must begin with a slash and have no query/],
    [{ port: -1 }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
    [{ port: 65_536 }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
    [{ port: '80' }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
  ]
  for (const [index, [options, message]] of wrong.entries()) {
    test(`of an issuer are told by a TypeError: ${message.source}, ${index}`, async (t) => {
      await t.assert.rejects(createTestIssuer(options as TestIssuerOptions), { name: 'TypeError', message })
    })
  }

  test('of a key are told by a TypeError', (t) => {
    const create = (options: unknown) => () => createTestKey(options as object)
    t.assert.throws(create(null), { name: 'TypeError', message: /"createTestKey" must be a plain object/ })
    t.assert.throws(create({ alg: 'ES256' }), {
      name: 'TypeError',
      message: /"createTestKey\.alg" is unknown/,
    })
    t.assert.throws(create({ kid: '' }), {
      name: 'TypeError',
      message: /"createTestKey\.kid" must be a non-empty/,
    })
    t.assert.throws(create({ algorithm: 'constructor' }), {
      name: 'TypeError',
      message: /"createTestKey\.algorithm" must be one of RS256, .*, EdDSA, Ed25519$/,
    })
  })
})
