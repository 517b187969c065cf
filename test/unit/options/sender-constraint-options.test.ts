import { suite, test, type TestContext } from 'node:test'
import { inspect } from 'node:util'
import { readPluginOptions } from '../../../lib/options/plugin-options.ts'
import type { SenderConstraintSettings } from '../../../lib/options/sender-constraint-options.ts'

const good = { issuer: 'https://issuer.example', audience: 'api' }
const baseUrl = 'https://api.example'
const modes = "'allowed', 'required', 'unchecked'"

const each = (name: string, values: readonly unknown[]): object[] =>
  values.map((value) => ({ [name]: value }))

/** Options of `dpop` or `mtls` with one of these values. */
const eachOf = (group: string, name: string, values: readonly unknown[]): object[] =>
  values.map((value) => ({ [group]: { ...(group === 'dpop' && { baseUrl }), [name]: value } }))

/** The name of an option, the end of its error message, and wrong options. */
const rows: [name: string, right: string, ...wrong: object[]][] = [
  ['dpop', `must be ${modes}, or an object`, ...each('dpop', [null, false, true, '', 'yes', []])],
  ['mtls', `must be ${modes}, or an object`, ...each('mtls', [null, false, true, '', 'yes', []])],
  ['dpop.mode', `must be one of ${modes}`, ...eachOf('dpop', 'mode', [null, '', 'yes', true])],
  ['mtls.mode', `must be one of ${modes}`, ...eachOf('mtls', 'mode', [null, '', 'yes', true])],
  [
    'dpop.baseUrl',
    'is required without "resource": the URL of this server as clients see it',
    { dpop: 'allowed' },
    { dpop: 'required' },
    { dpop: {} },
    { dpop: { mode: 'required', baseUrl: undefined } },
  ],
  [
    'dpop.baseUrl',
    'must be an https or http URL without query, fragment and credentials',
    ...eachOf('dpop', 'baseUrl', [
      ...[null, '', 5, true, {}, 'api.example', '/a', 'ftp://api.example', 'https://', 'https://a b.example'],
      ...[
        'https://api.example?a',
        'https://api.example#a',
        'https://user@api.example',
        ' https://api.example',
      ],
    ]),
  ],
  [
    'dpop.proofMaxAge',
    'must be a whole number of milliseconds, at least 1',
    ...eachOf('dpop', 'proofMaxAge', [null, 0, -1, 1.5, '5', Infinity]),
  ],
  [
    'dpop.maxProofs',
    'must be a whole number of proofs, at least 1',
    ...eachOf('dpop', 'maxProofs', [0, -1, 1.5, '5', Infinity]),
  ],
  ['dpop.nonce', 'must be { secret, lifetime }', ...eachOf('dpop', 'nonce', [null, true, 'x'.repeat(32)])],
  [
    'dpop.nonce.secret',
    'must be a string or a Uint8Array of at least 32 bytes',
    ...eachOf('dpop', 'nonce', [
      ...[{}, { secret: '' }, { secret: 'x'.repeat(31) }, { secret: Buffer.alloc(31) }],
      ...[{ secret: null }, { secret: 5 }, { secret: Array.from({ length: 32 }, () => 1) }],
    ]),
  ],
  [
    'dpop.nonce.lifetime',
    'must be a whole number of milliseconds, at least 1',
    ...eachOf(
      'dpop',
      'nonce',
      [null, 0, '5'].map((lifetime) => ({ secret: 'x'.repeat(32), lifetime })),
    ),
  ],
  ['dpop.nonce.ttl', 'is unknown; known are secret, lifetime', { dpop: { baseUrl, nonce: { ttl: 5 } } }],
  [
    'dpop.replay',
    'must be an object with a function add(id, ttl)',
    ...eachOf('dpop', 'replay', [null, 'redis', {}, { add: 5 }]),
  ],
  [
    'dpop.maxProofs',
    'excludes "dpop.replay": it limits the built-in store',
    { dpop: { baseUrl, maxProofs: 5, replay: { add: () => true } } },
  ],
  [
    'dpop.algorithms',
    'must be a list with at least one entry',
    ...eachOf('dpop', 'algorithms', [null, [], 'ES256']),
  ],
  [
    'dpop.algorithms[0]',
    'must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA',
    ...eachOf('dpop', 'algorithms', [['HS256'], ['none'], [''], [null], ['es256']]),
  ],
  [
    'mtls.header',
    'must be the name of a header',
    ...eachOf('mtls', 'header', [null, '', 5, 'a b', 'é', 'a:']),
  ],
  [
    'mtls.header',
    'excludes "mtls.getCertificate"',
    { mtls: { header: 'a', getCertificate: () => undefined } },
  ],
  ['mtls.getCertificate', 'must be a function', ...eachOf('mtls', 'getCertificate', [null, 'pem', {}])],
  [
    'dpop.age',
    'is unknown; known are mode, baseUrl, algorithms, proofMaxAge, nonce, replay, maxProofs',
    { dpop: { age: 5 } },
  ],
  [
    'mtls.headers',
    'is unknown; known are mode, header, getCertificate; did you mean "mtls.header"?',
    { mtls: { headers: [] } },
  ],
  ['proofMaxAge', 'is unknown; did you mean "dpop.proofMaxAge"?', { proofMaxAge: 5 }],
]

suite('wrong options of bound tokens', () => {
  for (const [name, right, ...wrong] of rows) {
    for (const options of wrong) {
      const shown = inspect(options, { breakLength: Infinity, depth: 4 }).slice(0, 120)
      test(`${name} ${right}: ${shown} is refused`, (t: TestContext) => {
        const message = `fastify-jwks-auth: option "${name}" ${right}`
        t.assert.throws(() => readPluginOptions({ ...good, ...options }), { name: 'TypeError', message })
      })
    }
  }
})

function settingsOf(options: object): SenderConstraintSettings {
  const { dpop, mtls } = readPluginOptions({ ...good, ...options })
  return { dpop, mtls }
}

suite('the settings of bound tokens', () => {
  test('the defaults match the documentation', (t: TestContext) => {
    const { dpop, mtls } = settingsOf({ dpop: { baseUrl }, mtls: {} })
    t.assert.deepStrictEqual(dpop, {
      mode: 'allowed',
      baseUrls: [baseUrl],
      algorithms: 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA'.split(' '),
      proofMaxAge: 60_000,
      nonce: undefined,
      replay: undefined,
      maxProofs: 100_000,
    })
    t.assert.deepStrictEqual(mtls, { mode: 'allowed', header: undefined, getCertificate: undefined })
  })

  test('given options replace the defaults', (t: TestContext) => {
    const replay = { add: (): boolean => true }
    const secret = new Uint8Array(32)
    const getCertificate = (): undefined => undefined
    const { dpop, mtls } = settingsOf({
      dpop: {
        mode: 'required',
        baseUrl: ['https://API.example:443/v1/', 'http://localhost:8000'],
        algorithms: ['Ed25519', 'EdDSA', 'ES256'],
        proofMaxAge: 1,
        nonce: { secret, lifetime: 2 },
        replay,
      },
      mtls: { mode: 'required', getCertificate },
    })
    t.assert.deepStrictEqual(dpop, {
      mode: 'required',
      baseUrls: ['https://api.example/v1', 'http://localhost:8000'],
      algorithms: ['EdDSA', 'ES256'],
      proofMaxAge: 1,
      nonce: { secret: Buffer.alloc(32), lifetime: 2 },
      replay,
      maxProofs: 100_000,
    })
    t.assert.deepStrictEqual(mtls, { mode: 'required', header: undefined, getCertificate })
    t.assert.equal(settingsOf({ mtls: { header: 'X-Client-Cert' } }).mtls!.header, 'x-client-cert')
  })

  for (const mode of ['allowed', 'required'] as const) {
    test(`the text ${mode} is the mode`, (t: TestContext) => {
      const { dpop, mtls } = settingsOf({ resource: `${baseUrl}/notes`, dpop: mode, mtls: mode })
      t.assert.equal(dpop!.mode, mode)
      t.assert.deepEqual(dpop!.baseUrls, [baseUrl])
      t.assert.equal(mtls!.mode, mode)
    })
  }

  test('with unchecked no base URL is needed', (t: TestContext) => {
    for (const dpop of ['unchecked', { mode: 'unchecked' }])
      t.assert.equal(settingsOf({ dpop }).dpop!.mode, 'unchecked')
  })

  test('a secret that is changed afterwards changes nothing', (t: TestContext) => {
    const secret = new Uint8Array(32)
    const { dpop } = settingsOf({ dpop: { baseUrl, nonce: { secret } } })
    secret.fill(1)
    t.assert.deepEqual(dpop!.nonce!.secret, Buffer.alloc(32))
  })
})
