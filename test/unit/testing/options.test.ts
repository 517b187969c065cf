import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import { createTestIssuer, createTestKey, type TestIssuerOptions } from '../../../lib/testing/index.ts'

suite('options of fastify-jwks-auth/testing', () => {
  const invalid: [options: unknown, message: RegExp][] = [
    [null, /"createTestIssuer" must be a plain object/],
    [{ audiense: 'api' }, /"createTestIssuer\.audiense" is unknown; known are audience, algorithm/],
    [{ audience: '' }, /"createTestIssuer\.audience" must be a non-empty string/],
    [{ audience: [] }, /"createTestIssuer\.audience" must be a list with at least one entry/],
    [{ audience: ['one', 2] }, /"createTestIssuer\.audience\[1\]" must be a non-empty string/],
    [{ algorithm: 'none' }, /"createTestIssuer\.algorithm" must be one of RS256, .*, HS512$/],
    [
      { algorithm: 'ES256', secret: 'a'.repeat(32) },
      /"createTestIssuer\.algorithm" must be HS256, HS384 or HS512 if "secret" is given/,
    ],
    [
      { algorithm: 'ES256', key: createTestKey() },
      /"createTestIssuer\.algorithm" must not be given together with "key"/,
    ],
    [{ secret: '' }, /"createTestIssuer\.secret" must be a string or a Uint8Array of at least 32 bytes/],
    [
      { secret: 'a'.repeat(31) },
      /"createTestIssuer\.secret" must be a string or a Uint8Array of at least 32 bytes/,
    ],
    [
      { secret: new Uint8Array(31) },
      /"createTestIssuer\.secret" must be a string or a Uint8Array of at least 32 bytes/,
    ],
    [{ secret: 32 }, /"createTestIssuer\.secret" must be a string or a Uint8Array of at least 32 bytes/],
    [{ secret: 'a'.repeat(32), algorithm: 'HS512' }, /"createTestIssuer\.secret" .* of at least 64 bytes/],
    [{ key: {} }, /"createTestIssuer\.key" must be a key created by createTestKey/],
    [{ path: 'realms' }, /"createTestIssuer\.path" must be empty or begin with a slash, without query/],
    [{ path: '/a?b' }, /"createTestIssuer\.path" must be empty or begin with a slash, without query/],
    [{ path: null }, /"createTestIssuer\.path" must be empty or begin with a slash, without query/],
    [{ port: -1 }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
    [{ port: 65_536 }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
    [{ port: '80' }, /"createTestIssuer\.port" must be a whole number from 0 to 65535/],
  ]
  const format = { breakLength: Infinity, depth: 1, maxArrayLength: 3, maxStringLength: 8 }
  for (const [options, message] of invalid) {
    test(`createTestIssuer rejects with a TypeError for ${inspect(options, format)}`, async (t) => {
      await t.assert.rejects(createTestIssuer(options as TestIssuerOptions), { name: 'TypeError', message })
    })
  }

  test('createTestKey throws a TypeError for invalid options', (t) => {
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
