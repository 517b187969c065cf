import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { suite, test, type TestContext } from 'node:test'
import { inspect } from 'node:util'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { SignJWT } from 'jose'
import jwksAuth, { type AccessTokenClaims, type JwksAuthOptions } from '../../../lib/index.ts'
import { freezeDeeply } from '../../../lib/jwt/json.ts'
import type { IssuerSettings } from '../../../lib/options/issuer-options.ts'
import type { IssuerUrls } from '../../../lib/options/issuer-urls.ts'
import { readPluginOptions } from '../../../lib/options/plugin-options.ts'
import { call, createApp } from '../../helpers/app.ts'
import { createKeyPair, now, LocalIssuer } from '../../helpers/issuer.ts'
import { jwkOf } from '../../helpers/jwk.ts'

const good = { issuer: 'https://issuer.example', audience: 'api' }
const another = { domain: 'tenant.example', audience: 'api' }

const text = 'must be a non-empty string'
const severalIssuers = 'must be a string; list several issuers as [{ issuer, audience }, …] in "issuers"'
const nonEmptyList = 'must be a list with at least one entry'
const oneScope =
  'must be one scope of printable ASCII without spaces, quotes and backslashes (RFC 6749 section 3.3)'
const audience = 'a non-empty string or a list of them, or false for an issuer whose tokens have no aud'
const httpsUrl =
  'must be an https URL without credentials (http only on loopback or with allowInsecureIssuers: true)'
const noQuery = 'must be a URL without a query, a fragment or white space'
const host = 'must be a host name in lower case with an optional port, such as tenant.eu.auth0.com'
const asymmetric =
  'must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA without "secret"'
const symmetric = 'must be one of HS256, HS384, HS512 with "secret"'
const claimValue = 'must be a non-empty string, a number, a boolean, a list of them or an object of them'
const milliseconds = (least: number): string => `must be a whole number of milliseconds, at least ${least}`
const issuerNames =
  'domain, issuer, audience, jwksUri, metadataUrl, secret, algorithms, claims, clockTolerance, maxTokenAge, ' +
  'requiredClaims, profile, allowInsecureIssuers'
const pluginNames =
  'issuers, jwks, cache, realm, global, scopeClaims, impliedScopes, decoratorName, getToken, formatUser, isRevoked, dpop, mtls, resource, serveMetadata'
const fastifyNames = 'prefix, logLevel, logSerializers'
const jwksNames =
  'refreshInterval, maxStale, cooldown, timeout, maxResponseSize, dispatcher, prefetch, store, storeSecret'

/** Values of other types than a number, and numbers that are not whole or not positive. */
const noWholeNumber = [-1, 0.5, NaN, Infinity, 2 ** 53, '5000', '', null, true, 5n]

function wholeNumberOf(unit: string): string {
  return `must be a whole number of ${unit}, at least 1`
}

/** Reads options and returns their list of issuers. */
function issuersOf(options: object): readonly IssuerSettings[] {
  return readPluginOptions(options).issuers as readonly IssuerSettings[]
}

async function register(options: unknown): Promise<void> {
  await Fastify().register(jwksAuth, options as JwksAuthOptions)
}

/** Ends the errors about values that an unset environment variable may cause. Tests of their own show which. */
const isUnset = '; is an environment variable unset?'

async function refuses(t: TestContext, options: unknown, name: string, right: string): Promise<void> {
  const message = `fastify-jwks-auth: option "${name}" ${right}`
  await t.assert.rejects(register(options), (error: Error) => {
    t.assert.deepEqual([error.name, error.message.replace(isUnset, '')], ['TypeError', message])
    return true
  })
}

async function accepts(t: TestContext, options: unknown): Promise<void> {
  await t.assert.doesNotReject(register(options))
}

/** The name of an option, the end of its error message, and patches that make valid options invalid. */
type Row = [name: string, right: string, ...wrong: object[]]

const shown = (value: unknown): string => {
  const text = inspect(value, { breakLength: Infinity })
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}

const each = (name: string, values: readonly unknown[], others: object = {}): object[] =>
  values.map((value) => ({ ...others, [name]: value }))

const issuerRows: Row[] = [
  ['audience', `is required: ${audience}`, { audience: undefined }],
  ['audience', `must be ${audience}`, ...each('audience', ['', null, true, 5, {}, new Set(['api'])])],
  ['audience', nonEmptyList, { audience: [] }],
  ['audience[0]', text, { audience: [''] }],
  [
    'audience[1]',
    text,
    ...each(
      'audience',
      ['', undefined, null, false, 5, ['web']].map((entry) => ['api', entry]),
    ),
  ],

  ['issuer', 'is required (or "domain", for an Auth0 tenant)', { issuer: undefined }],
  ['issuer', text, ...each('issuer', ['', null, false, 5, new URL(good.issuer)])],
  ['issuer', severalIssuers, ...each('issuer', [['https://a.example', 'https://b.example'], []])],
  [
    'issuer',
    text,
    { issuer: '', jwksUri: 'https://keys.example' },
    { issuer: 5, jwksUri: 'https://keys.example' },
    { issuer: '', secret: 'x'.repeat(32) },
    { issuer: null, secret: 'x'.repeat(32) },
  ],
  [
    'issuer',
    httpsUrl,
    ...each('issuer', [
      'http://issuer.example',
      'issuer.example',
      'an issuer',
      'ftp://localhost',
      'file:///etc/keys',
      'https://',
      'https://user@issuer.example',
      'https://user:password@issuer.example',
      'https://:password@issuer.example',
    ]),
  ],
  [
    'issuer',
    httpsUrl,
    ...each('issuer', [
      'http://127.0.0.1.evil.example',
      'http://localhost.evil.example',
      'http://evil.example/localhost',
      'http://127.0.0.1@evil.example',
      'http://127-0-0-1.example',
      'http://xlocalhost',
      'http://128.0.0.1',
      'http://0.0.0.0',
      'http://[::2]',
      'http://[::ffff:128.0.0.1]',
    ]),
  ],
  [
    'issuer',
    noQuery,
    ...each('issuer', [
      `${good.issuer}/?tenant=a`,
      `${good.issuer}#a`,
      ` ${good.issuer}`,
      `${good.issuer}\n`,
    ]),
  ],

  ['domain', 'excludes "issuer": it is the short form of https://DOMAIN/', { domain: 'tenant.example' }],
  [
    'domain',
    host,
    ...each(
      'domain',
      [
        '',
        'https://tenant.example',
        'https://tenant.example/',
        'tenant.example/',
        'tenant.example/path',
        'tenant.example\\path',
        'tenant.example?a=b',
        'tenant.example#a',
        'user@tenant.example',
        'user:password@tenant.example',
        ' tenant.example',
        'tenant.example\n',
        'tenant.example:port',
        'tenant.example:65536',
        '127.0.0',
        'Tenant.example',
        'büro.example',
        't%65nant.example',
        null,
        false,
        5,
        ['tenant.example'],
        { toString: () => 'tenant.example' },
      ],
      { issuer: undefined },
    ),
  ],

  [
    'jwksUri',
    httpsUrl,
    ...each('jwksUri', [
      '',
      null,
      5,
      new URL('https://keys.example'),
      '/jwks',
      'keys.example/jwks',
      'http://keys.example/jwks',
      'http://127.0.0.1.evil.example/jwks',
      'http://localhost.evil.example/jwks',
      'ftp://localhost/jwks',
      'https://user:password@keys.example/jwks',
    ]),
  ],
  ['jwksUri', 'must be a list with at least one entry', { jwksUri: [] }],
  ['jwksUri', 'must be a list of at most 10 URLs', { jwksUri: Array(11).fill('https://keys.example') }],
  [
    'jwksUri[1]',
    httpsUrl,
    ...['', null, 'http://keys.example', ['https://keys.example']].map((second) => ({
      jwksUri: ['https://keys.example', second],
    })),
  ],

  [
    'metadataUrl',
    httpsUrl,
    ...each('metadataUrl', ['', null, 5, '/metadata', 'http://id.example', ['https://id.example']]),
  ],
  [
    'metadataUrl',
    'excludes "jwksUri", which needs no metadata',
    { metadataUrl: 'https://id.example', jwksUri: 'https://keys.example' },
  ],
  [
    'metadataUrl',
    'excludes "domain", which needs no metadata',
    { issuer: undefined, domain: 'tenant.example', metadataUrl: 'https://id.example' },
  ],
  [
    'metadataUrl',
    'excludes "secret", which needs no metadata',
    { secret: 'x'.repeat(32), metadataUrl: 'https://id.example' },
  ],
  ['issuer', httpsUrl, { issuer: 'an issuer', metadataUrl: 'https://id.example' }],

  [
    'allowInsecureIssuers',
    'must be true or false',
    ...each('allowInsecureIssuers', [null, '', 'true', 'false', 0, 1, {}]),
  ],

  ['jwksUri', httpsUrl, ...each('jwksUri', ['', null, 'http://keys.example'], { secret: 'x'.repeat(32) })],
  [
    'secret',
    'must be a string or a Uint8Array',
    ...each('secret', [null, false, 5, {}, new ArrayBuffer(32)]),
    ...each('secret', [null, false, 5, {}], { jwksUri: 'https://keys.example' }),
  ],
  [
    'secret',
    'must have at least 32 bytes for HS256 (RFC 7518 section 3.2)',
    ...each('secret', ['', 'x'.repeat(31)], { jwksUri: 'https://keys.example' }),
    ...each('secret', ['', 'x'.repeat(31)], { jwksUri: 'https://keys.example', algorithms: ['RS256'] }),
  ],
  [
    'algorithms[1]',
    `must be one of HS256, HS384, HS512, ${asymmetric.slice('must be one of '.length).replace('without "secret"', 'with "secret" and "jwksUri"')}`,
    { algorithms: ['HS256', 'none'], secret: 'x'.repeat(32), jwksUri: 'https://keys.example' },
  ],

  ['algorithms', nonEmptyList, ...each('algorithms', [[], 'RS256', '', null, 5, {}, new Set(['RS256'])])],
  ['algorithms', nonEmptyList, { algorithms: [], secret: 'x'.repeat(32) }],
  [
    'algorithms[0]',
    asymmetric,
    ...each(
      'algorithms',
      [
        ...['none', 'None', '', 'HS256', 'rs256', 'RS1', 'ES256K', 'Ed448', 'RSA-OAEP', 'dir'],
        ...['toString', 'constructor', '__proto__'],
        ...[undefined, null, 5, ['RS256']],
      ].map((entry) => [entry]),
    ),
  ],
  ['algorithms[1]', asymmetric, ...each('algorithms', [['RS256', 'HS256']])],
  [
    'algorithms[0]',
    symmetric,
    ...each(
      'algorithms',
      ['none', '', 'RS256', 'ES256', 'EdDSA', 'Ed25519', 'hs256', 'HS1', 'toString', null].map((entry) => [
        entry,
      ]),
      { secret: 'x'.repeat(64) },
    ),
  ],
  ['algorithms[1]', symmetric, { algorithms: ['HS256', 'RS256'], secret: 'x'.repeat(64) }],

  [
    'claims',
    'must be a plain object',
    ...each('claims', [
      new Map([['token_use', 'access']]),
      new Date(),
      Object.create({ token_use: 'access' }),
      null,
      false,
      5,
      '',
      'token_use',
      ['token_use'],
    ]),
  ],
  [
    'claims.token_use',
    claimValue,
    ...each(
      'claims',
      ['', undefined, null, NaN, Infinity, 5n, () => true].map((value) => ({ token_use: value })),
    ),
  ],
  ['claims', 'must name at least one claim', { claims: {} }],
  ['claims.realm_access', 'must name at least one claim', { claims: { realm_access: {} } }],
  ['claims.realm_access', 'must be a plain object', { claims: { realm_access: new Map() } }],
  ['claims.realm_access.roles', claimValue, { claims: { realm_access: { roles: null } } }],
  ['claims.realm_access.roles', nonEmptyList, { claims: { realm_access: { roles: [] } } }],
  ['claims.token_use', nonEmptyList, { claims: { token_use: [] } }],
  [
    'claims.token_use[1]',
    claimValue,
    ...each(
      'claims',
      ['', undefined, null, NaN, {}, ['id']].map((value) => ({
        sub: 'someone',
        token_use: ['access', value],
      })),
    ),
  ],

  ['clockTolerance', milliseconds(0), ...each('clockTolerance', noWholeNumber)],
  ['maxTokenAge', milliseconds(1), ...each('maxTokenAge', [0, ...noWholeNumber])],
  ['requiredClaims', nonEmptyList, ...each('requiredClaims', [[], 'sub', '', null, 5, {}, new Set(['sub'])])],
  ['requiredClaims[0]', text, { requiredClaims: [''] }],
  [
    'requiredClaims[1]',
    text,
    ...each(
      'requiredClaims',
      ['', undefined, null, 5, ['sub']].map((entry) => ['sub', entry]),
    ),
  ],
  [
    'profile',
    "must be 'rfc9068'",
    ...each('profile', ['', 'RFC9068', 'rfc7519', null, true, 9068, ['rfc9068']]),
  ],
]

suite('invalid options of an issuer', () => {
  for (const [name, right, ...wrong] of issuerRows) {
    suite(`"${name}" ${right}`, () => {
      for (const patch of wrong) {
        test(`the options ${shown(patch)} are refused: "${name}" ${right}`, async (t: TestContext) => {
          const options = { ...good, ...patch }
          await refuses(t, options, name, right)
          await refuses(t, { issuers: [another, options] }, `issuers[1].${name}`, right)
        })
      }
    })
  }

  test('a missing audience is refused', async (t: TestContext) => {
    const right = `is required: ${audience}`
    await refuses(t, { issuer: good.issuer }, 'audience', right)
    await refuses(t, { issuers: [{ domain: 'tenant.example' }] }, 'issuers[0].audience', right)
  })

  test('a password in a URL is not repeated in the error', async (t: TestContext) => {
    for (const patch of [{ issuer: 'http://user:hunter2@host' }, { jwksUri: 'http://user:hunter2@host' }]) {
      const error = await register({ ...good, ...patch }).catch(inspect)
      t.assert.match(String(error), /^TypeError/)
      t.assert.doesNotMatch(String(error), /hunter2/)
    }
  })
})

suite('invalid options of the plugin', () => {
  const rows: Row[] = [
    [
      'realm',
      'must be a non-empty string of printable ASCII',
      ...each('realm', ['', 'a\r\nb', 'a\tb', '\0', '\x7f', 'é', '–', null, false, 5, ['api']]),
    ],
    ['global', 'must be true or false', ...each('global', [null, '', 'true', 0, 1, {}, ['/a']])],
    ['scopeClaims', nonEmptyList, ...each('scopeClaims', [null, '', 'scope', {}, []])],
    [
      'scopeClaims[1]',
      'must be a non-empty string',
      ...each('scopeClaims', [
        ['scp', ''],
        ['scp', null],
        ['scp', 1],
      ]),
    ],
    [
      'impliedScopes',
      'must be an object of lists: { broader: [narrower] }',
      ...each('impliedScopes', [null, '', 'a', [], new Map(), true]),
    ],
    ['impliedScopes["a"]', nonEmptyList, ...each('impliedScopes', [{ a: 'b' }, { a: [] }, { a: null }])],
    [
      'impliedScopes["a"][1]',
      oneScope,
      ...each('impliedScopes', [{ a: ['b', ''] }, { a: ['b', 'c d'] }, { a: ['b', 1] }]),
    ],
    ['impliedScopes["a b"]', oneScope, { impliedScopes: { 'a b': ['c'] } }],
    ['impliedScopes[""]', oneScope, { impliedScopes: { '': ['c'] } }],
    [
      'impliedScopes',
      'must have no cycle, but "a" implies itself',
      ...each('impliedScopes', [
        { a: ['a'] },
        { a: ['b'], b: ['a'] },
        { a: ['b'], b: ['x', 'c'], c: ['y', 'a'], d: ['e'] },
      ]),
    ],
    [
      'decoratorName',
      'must be a non-empty string other than "accessToken"',
      ...each('decoratorName', [null, '', false, 1, ['user'], 'accessToken']),
    ],
    ['getToken', 'must be a function', ...each('getToken', [null, false, '', 'cookie', {}])],
    ['formatUser', 'must be a function', ...each('formatUser', [null, false, '', 'sub', {}])],
    ['isRevoked', 'must be a function', ...each('isRevoked', [null, false, '', 'jti', {}])],

    ['cache', 'must be { max, maxBytes } or false', ...each('cache', [null, true, 5, ''])],
    ['cache', 'must be { max, maxBytes } or false', ...each('cache', [[], new Map()])],
    ['cache.ttl', 'is unknown; known are max, maxBytes', { cache: { ttl: 5 } }],
    ['cache.max', wholeNumberOf('tokens'), ...each('max', [0, ...noWholeNumber]).map((cache) => ({ cache }))],
    ['cache.max', 'must be at most 10000000', { cache: { max: 10_000_001 } }],
    [
      'cache.maxBytes',
      wholeNumberOf('bytes'),
      ...each('maxBytes', [0, ...noWholeNumber]).map((cache) => ({ cache })),
    ],
    ['jwks', 'must be a plain object', ...each('jwks', [null, false, true, 5, '', []])],
    ['jwks.refreshInterval', milliseconds(1), ...each('refreshInterval', [0, ...noWholeNumber]).map(inJwks)],
    ['jwks.maxStale', milliseconds(0), ...each('maxStale', noWholeNumber).map(inJwks)],
    ['jwks.cooldown', milliseconds(0), ...each('cooldown', noWholeNumber).map(inJwks)],
    ['jwks.timeout', milliseconds(1), ...each('timeout', [0, ...noWholeNumber]).map(inJwks)],
    ['jwks.timeout', 'must be at most 2147483647', { jwks: { timeout: 2 ** 31 } }],
    [
      'jwks.maxResponseSize',
      'must be a whole number of bytes, at least 1',
      ...each('maxResponseSize', [0, ...noWholeNumber]).map(inJwks),
    ],
    ['jwks.prefetch', 'must be true or false', ...each('prefetch', [null, '', 'true', 1, {}]).map(inJwks)],
    [
      'jwks.store',
      'must be an object with the functions get and set, such as redisStore(client)',
      ...each('store', [
        null,
        false,
        '',
        'redis://host',
        {},
        new Map([['get', 1]]).values(),
        { get() {} },
      ]).map((jwks) => inJwks({ ...jwks, storeSecret: 's'.repeat(32) })),
    ],
    [
      'jwks.storeSecret',
      'must be a string or a Uint8Array of at least 32 bytes',
      ...each('storeSecret', [null, '', 1, {}, 's'.repeat(31), new Uint8Array(31)]).map((jwks) =>
        inJwks({ ...jwks, store: new Map() }),
      ),
    ],
    [
      'jwks.storeSecret',
      'is required with "jwks.store": a string or a Uint8Array of at least 32 bytes, because whoever can write to the store could otherwise add keys',
      inJwks({ store: new Map() }),
    ],
    ['jwks.storeSecret', 'needs "jwks.store"', inJwks({ storeSecret: 's'.repeat(32) })],
    [
      'jwks.dispatcher',
      'must be an undici dispatcher',
      ...each('dispatcher', [null, false, '', 'http://proxy', {}, { dispatch: true }, () => true]).map(
        inJwks,
      ),
    ],
  ]
  for (const [name, right, ...wrong] of rows) {
    suite(`"${name}" ${right}`, () => {
      for (const patch of wrong) {
        test(`the options ${shown(patch)} are refused: "${name}" ${right}`, async (t: TestContext) => {
          await refuses(t, { ...good, ...patch }, name, right)
          await refuses(t, { issuers: [good], ...patch }, name, right)
        })
      }
    })
  }

  function inJwks(jwks: object): object {
    return { jwks }
  }
})

suite('options whose environment variable is not set', () => {
  const rows: [title: string, options: object, name: string][] = [
    ['an empty issuer', { ...good, issuer: '' }, 'issuer'],
    ['an issuer of undefined', { ...good, issuer: undefined }, 'issuer'],
    ['an empty domain', { domain: '', audience: 'api' }, 'domain'],
    ['a domain of undefined', { domain: undefined, audience: 'api' }, 'issuer'],
    ['an empty audience', { ...good, audience: '' }, 'audience'],
    ['an audience of undefined', { ...good, audience: undefined }, 'audience'],
    ['an empty audience in a list', { ...good, audience: ['api', ''] }, 'audience[1]'],
    ['an empty jwksUri', { ...good, jwksUri: '' }, 'jwksUri'],
    ['an empty secret', { ...good, secret: '' }, 'secret'],
    ['an empty issuer in a list', { issuers: [good, { ...good, issuer: '' }] }, 'issuers[1].issuer'],
  ]
  for (const [title, options, name] of rows) {
    test(`the error for ${title} asks whether an environment variable is unset`, async (t) => {
      const message = new RegExp(
        `^fastify-jwks-auth: option "${name.replaceAll(/[[.\]]/g, '\\$&')}" .*${isUnset.replace('?', '\\?')}$`,
      )
      await t.assert.rejects(register(options), { name: 'TypeError', message })
    })
  }

  test('the error for another wrong value does not ask about environment variables', async (t) => {
    for (const options of [{}, { issuer: good.issuer }, { ...good, audience: 5 }, { ...good, issuer: 5 }]) {
      await t.assert.rejects(register(options), ({ message }: Error) => !message.includes(isUnset))
    }
  })
})

suite('unknown options', () => {
  const known = `is unknown; known are ${issuerNames}, ${pluginNames}, ${fastifyNames}`
  for (const [name, similar] of [
    ['audiences', 'audience'],
    ['aud', 'audience'],
    ['iss', 'issuer'],
    ['jwksUrl', 'jwksUri'],
    ['Issuer', 'issuer'],
    ['clock_tolerance', 'clockTolerance'],
    ['algoritms', 'algorithms'],
    ['fromatUser', 'formatUser'],
  ] as const) {
    test(`the misspelled option "${name}" is refused with the name "${similar}"`, async (t: TestContext) => {
      const right = `${known}; did you mean "${similar}"?`
      await refuses(t, { ...good, [name]: 'api' }, name, right)
      await refuses(t, { ...good, [name]: undefined }, name, right)
    })
  }

  for (const name of ['toString', 'ur', 'cookie', 'issuerBaseURL', '']) {
    test(`the unknown option "${name}" is refused with the names of known options`, async (t: TestContext) => {
      await refuses(t, { ...good, [name]: 'api' }, name, known)
      await refuses(t, { ...good, [name]: undefined }, name, known)
    })
  }

  test('a misspelled option in an entry of issuers is refused with its right name', async (t) => {
    const issuers = [another, { ...good, audiences: undefined }]
    const right = `is unknown; known are ${issuerNames}; did you mean "issuers[1].audience"?`
    await refuses(t, { issuers }, 'issuers[1].audiences', right)
  })

  test('a misspelled option in jwks and in cache is refused with its right name', async (t) => {
    const inJwks = `is unknown; known are ${jwksNames}; did you mean "jwks.timeout"?`
    await refuses(t, { ...good, jwks: { timeOut: undefined } }, 'jwks.timeOut', inJwks)
    const inCache = 'is unknown; known are max, maxBytes; did you mean "cache.maxBytes"?'
    await refuses(t, { ...good, cache: { max_bytes: 5 } }, 'cache.max_bytes', inCache)
  })

  for (const name of ['realm', 'cache', 'prefix', 'constructor']) {
    test(`the unknown option "${name}" in an entry of issuers is refused with the names of known options`, async (t: TestContext) => {
      const issuers = [another, { ...good, [name]: undefined }]
      await refuses(t, { issuers }, `issuers[1].${name}`, `is unknown; known are ${issuerNames}`)
    })
  }

  for (const name of jwksNames.split(', ')) {
    test(`the option "${name}" at the top level is refused with its correct place`, async (t: TestContext) => {
      await refuses(t, { ...good, [name]: 1 }, name, `is unknown; did you mean "jwks.${name}"?`)
    })
  }

  for (const name of ['max', 'maxBytes']) {
    test(`the option "${name}" at the top level is refused with its correct place`, async (t: TestContext) => {
      await refuses(t, { ...good, [name]: 1 }, name, `is unknown; did you mean "cache.${name}"?`)
    })
  }

  for (const name of ['ttl', 'issuer', 'valueOf']) {
    test(`the unknown option "${name}" in jwks is refused with the names of known options`, async (t: TestContext) => {
      const right = `is unknown; known are ${jwksNames}`
      await refuses(t, { ...good, jwks: { [name]: undefined } }, `jwks.${name}`, right)
    })
  }
})

suite('options as a whole', () => {
  for (const options of [undefined, null, {}]) {
    test(`the options ${shown(options)} are refused: an issuer is required`, async (t: TestContext) => {
      await refuses(t, options, 'issuer', 'is required (or "domain", for an Auth0 tenant)')
    })
  }

  test('a list is refused as options', async (t: TestContext) => {
    await refuses(t, [good], 'options', 'must be a plain object')
  })

  test('an empty list of issuers is refused', async (t: TestContext) => {
    await refuses(t, { issuers: [] }, 'issuers', nonEmptyList)
  })

  for (const issuers of [null, {}, '', false, good.issuer, good, new Set([good])]) {
    test(`issuers: ${shown(issuers)} is refused for its type, with and without options of a single issuer`, async (t: TestContext) => {
      const right =
        'must be a list of issuers or a function; the options of a single issuer may stand at the top level'
      await refuses(t, { issuers }, 'issuers', right)
      await refuses(t, { ...good, issuers }, 'issuers', right)
    })
  }

  for (const entry of [undefined, null, false, 5, good.issuer, [good]]) {
    test(`${shown(entry)} is refused as an entry of issuers`, async (t: TestContext) => {
      const right = 'must be a plain object, such as { issuer, audience }'
      await refuses(t, { issuers: [good, entry] }, 'issuers[1]', right)
    })
  }

  // As an option of the plugin it is for all issuers.
  for (const name of issuerNames.split(', ').filter((each) => each !== 'allowInsecureIssuers')) {
    test(`"${name}" is refused at the top level together with issuers`, async (t: TestContext) => {
      const right = 'belongs in the entries of "issuers", or in the result of that function'
      for (const value of ['x', null, false]) {
        await refuses(t, { issuers: [good], [name]: value }, name, right)
        await refuses(t, { issuers: () => undefined, [name]: value }, name, right)
      }
    })
  }

  const twice: [title: string, first: object, second: object][] = [
    ['by issuer', { issuer: good.issuer }, { issuer: good.issuer }],
    ['by domain', { domain: 'tenant.example' }, { domain: 'tenant.example' }],
    ['by domain and by issuer', { domain: 'tenant.example' }, { issuer: 'https://tenant.example/' }],
    [
      'by keys and by secret',
      { issuer: 'an issuer', jwksUri: 'https://keys.example' },
      { issuer: 'an issuer', secret: 'x'.repeat(32) },
    ],
  ]
  for (const [title, first, second] of twice) {
    test(`the same issuer twice, ${title}, is refused`, async (t: TestContext) => {
      const issuers = [{ domain: 'other.example' }, first, second].map((entry) => ({
        audience: 'api',
        ...entry,
      }))
      await refuses(t, { issuers }, 'issuers[2]', 'names an issuer that is already in the list')
    })
  }
})

suite('invalid secrets', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ed = generateKeyPairSync('ed25519')
  const jwk = jwkOf(rsa.publicKey)
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })

  const keys: [title: string, secret: string | Buffer][] = [
    ['a public key as PEM', pem],
    ['a public key as PEM in bytes', Buffer.from(pem)],
    ['a public key as PEM after other text', `# the key of the issuer\n${String(pem)}`],
    ['a public key as PEM with CR and LF', String(pem).replaceAll('\n', '\r\n')],
    ['a public key as PEM of PKCS #1', rsa.publicKey.export({ type: 'pkcs1', format: 'pem' })],
    ['a private key as PEM', ec.privateKey.export({ type: 'pkcs8', format: 'pem' })],
    ['a certificate as PEM', `-----BEGIN CERTIFICATE-----\n${randomBytes(48).toString('base64')}`],
    ['a JWK', JSON.stringify(jwk)],
    ['a JWK in bytes', Buffer.from(JSON.stringify(jwk))],
    ['a JWK, indented, with white space around it', ` \n${JSON.stringify(jwk, null, 2)}\n`],
    ['a JWK after a byte order mark', `\ufeff${JSON.stringify(jwk)}`],
    ['a symmetric JWK', JSON.stringify({ kty: 'oct', k: randomBytes(32).toString('base64url') })],
    ['a JWK Set', JSON.stringify({ keys: [jwk] })],
    ['the keys of a JWK Set', JSON.stringify([jwk])],
    ['an RSA key as DER', rsa.publicKey.export({ type: 'spki', format: 'der' })],
    [
      'an RSA key as base64 of its DER',
      rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    ],
    [
      'an EC key as base64url of its DER',
      ec.publicKey.export({ type: 'spki', format: 'der' }).toString('base64url'),
    ],
    ['an EC key as hex of its DER', ec.publicKey.export({ type: 'spki', format: 'der' }).toString('hex')],
    ['base64 of a PEM', Buffer.from(ec.publicKey.export({ type: 'spki', format: 'pem' })).toString('base64')],
    ['base64 of a JWK', Buffer.from(JSON.stringify(jwk)).toString('base64')],
    ['an RSA key as DER of PKCS #1', rsa.publicKey.export({ type: 'pkcs1', format: 'der' })],
    ['an EC key as DER', ec.publicKey.export({ type: 'spki', format: 'der' })],
    ['an Ed25519 key as DER', ed.publicKey.export({ type: 'spki', format: 'der' })],
  ]
  for (const [title, secret] of keys) {
    test(`${title} is refused as a secret`, async (t: TestContext) => {
      const right =
        'must be a shared secret and not a PEM, DER or JWK key; set "jwksUri" to verify with published keys'
      await refuses(t, { ...good, secret }, 'secret', right)
      await refuses(t, { issuers: [{ ...good, secret }] }, 'issuers[0].secret', right)
    })
  }

  const lengths: [least: number, algorithms: string[] | undefined, names: string][] = [
    [32, undefined, 'HS256'],
    [32, ['HS256'], 'HS256'],
    [48, ['HS384'], 'HS384'],
    [64, ['HS512'], 'HS512'],
    [48, ['HS384', 'HS256'], 'HS384, HS256'],
    [64, ['HS256', 'HS512', 'HS384'], 'HS256, HS512, HS384'],
  ]
  for (const [least, algorithms, names] of lengths) {
    test(`a secret for ${algorithms ? names : 'the default algorithm'} has at least ${least} bytes`, async (t: TestContext) => {
      const right = `must have at least ${least} bytes for ${names} (RFC 7518 section 3.2)`
      const bytes = randomBytes(least)
      for (const secret of [bytes.subarray(1), 'x'.repeat(least - 1), Buffer.alloc(0), '']) {
        await refuses(t, { ...good, algorithms, secret }, 'secret', right)
      }
      for (const secret of [bytes, new Uint8Array(bytes), 'x'.repeat(least), 'ü'.repeat(least / 2)]) {
        await accepts(t, { ...good, algorithms, secret })
      }
    })
  }

  test('an error contains no part of a secret', async (t: TestContext) => {
    const short = 'correct horse battery staple'
    for (const secret of [short, Buffer.from(short), { short }, `{"k":"${short}"}`, `-----BEGIN ${short}`]) {
      for (const options of [
        { secret },
        { secret, jwksUri: 'https://keys.example' },
        { secret, audience: '' },
      ]) {
        const error = await register({ ...good, ...options }).catch(inspect)
        t.assert.match(String(error), /^TypeError/)
        t.assert.doesNotMatch(String(error), /correct|horse|63 6f 72 72|Y29ycmVjd/)
      }
    }
  })
})

suite('valid options', () => {
  const jwksUri = 'https://keys.example'
  const secret = 'x'.repeat(64)
  const right: object[] = [
    { audience: ['api', 'web'] },
    { audience: false },
    ...each('issuer', ['https://issuer.example/', 'https://issuer.example:8443/realms/a', 'https://[::2]']),
    ...each('issuer', ['an issuer', 'http://issuer.example', 'https://a:b@issuer.example/?c#d'], { jwksUri }),
    ...each('issuer', ['an issuer', 'http://issuer.example'], { secret }),
    ...each('domain', ['tenant.example', 'tenant.example:8443', 'localhost:8443'], { issuer: undefined }),
    { issuer: undefined, domain: 'tenant.example', jwksUri },
    { issuer: undefined, domain: 'tenant.example', secret },
    { jwksUri: 'https://keys.example/jwks?tenant=a' },
    { jwksUri: Array(10).fill(jwksUri) },
    { metadataUrl: 'https://metadata.example/policy/.well-known/openid-configuration?p=a' },
    { metadataUrl: 'http://localhost/metadata' },
    ...each('algorithms', [['RS256'], ['ES256', 'PS512'], ['EdDSA'], ['Ed25519'], ['EdDSA', 'Ed25519']]),
    ...each('algorithms', [['HS256'], ['HS384', 'HS512']], { secret }),
    { secret, jwksUri },
    ...each('algorithms', [['HS256', 'RS256'], ['RS256'], ['HS512']], { secret, jwksUri }),
    { claims: { token_use: 'access', client_id: ['a', 'b'], level: [0, 1.5, -1], admin: false } },
    { clockTolerance: 0, maxTokenAge: 1, requiredClaims: ['sub', 'constructor'] },
    { clockTolerance: Number.MAX_SAFE_INTEGER, maxTokenAge: Number.MAX_SAFE_INTEGER },
    { profile: 'rfc9068' },
    { prefix: '/api', logLevel: 'silent', logSerializers: {} },
    { realm: ' ~"\\' },
    ...each('global', [true, false]),
    { scopeClaims: ['roles'], impliedScopes: { a: ['b', 'c'], b: ['c'], d: ['c'] } },
    { impliedScopes: {} },
    { decoratorName: 'auth' },
    { getToken: () => undefined, formatUser: async () => null, isRevoked: () => false },
    ...each('allowInsecureIssuers', [true, false]),
    { jwks: {} },
    {
      jwks: { refreshInterval: 1, maxStale: 0, cooldown: 0, timeout: 1, maxResponseSize: 1, prefetch: false },
    },
    { jwks: { timeout: 2 ** 31 - 1, refreshInterval: 2 ** 31, maxStale: 2 ** 31, cooldown: 2 ** 31 } },
    { jwks: { dispatcher: { dispatch: () => true } } },
    { jwks: { store: new Map(), storeSecret: 'ü'.repeat(16) } },
    { jwks: { store: { get() {}, set() {} }, storeSecret: new Uint8Array(32) } },
  ]
  for (const patch of right) {
    test(`the options ${shown(patch)} are accepted`, async (t: TestContext) => {
      await accepts(t, { ...good, ...patch })
    })
  }

  const loopback = [
    ...['localhost', 'LOCALHOST', '127.0.0.1', '127.1.2.3', '127.255.255.254', '127.1', '[::1]'],
    ...['localhost:8080', '127.0.0.1:8080', '[::1]:8080', '[0:0::1]'],
  ]
  for (const name of loopback) {
    test(`an http URL of ${name} is accepted`, async (t: TestContext) => {
      const url = `http://${name}/a`
      await accepts(t, { ...good, issuer: url })
      await accepts(t, { ...good, jwksUri: url })
      await accepts(t, { issuers: [{ ...good, jwksUri: url }] })
    })
  }

  test('allowInsecureIssuers allows only http in addition to https', async (t: TestContext) => {
    const insecure = { ...good, allowInsecureIssuers: true }
    await accepts(t, { ...insecure, issuer: 'http://issuer.example' })
    await accepts(t, { ...insecure, jwksUri: 'http://keys.example' })
    await accepts(t, { ...insecure, metadataUrl: 'http://metadata.example' })
    await accepts(t, { allowInsecureIssuers: true, issuers: [{ ...good, issuer: 'http://issuer.example' }] })
    await accepts(t, { issuers: [{ ...insecure, issuer: 'http://issuer.example' }] })
    await refuses(
      t,
      {
        issuers: [
          { ...insecure, issuer: 'http://one.example' },
          { ...good, issuer: 'http://two.example' },
        ],
      },
      'issuers[1].issuer',
      httpsUrl,
    )
    await refuses(
      t,
      { ...good, issuer: 'http://issuer.example', allowInsecureIssuers: false },
      'issuer',
      httpsUrl,
    )
    await refuses(t, { ...insecure, issuer: 'ftp://issuer.example' }, 'issuer', httpsUrl)
    await refuses(t, { ...insecure, issuer: 'http://a:b@issuer.example' }, 'issuer', httpsUrl)
    await refuses(t, { ...insecure, jwksUri: 'ws://keys.example' }, 'jwksUri', httpsUrl)
  })

  test('an undefined option is treated as not set', async (t: TestContext) => {
    const names = [...issuerNames.split(', '), ...pluginNames.split(', ')]
    const undefineds = Object.fromEntries(names.map((name) => [name, undefined]))
    const jwks = Object.fromEntries(jwksNames.split(', ').map((name) => [name, undefined]))
    t.assert.deepStrictEqual(readPluginOptions({ ...undefineds, ...good, jwks }), readPluginOptions(good))
    t.assert.deepStrictEqual(readPluginOptions({ ...undefineds, issuers: [good] }), readPluginOptions(good))
  })

  test('the defaults match the documentation', (t: TestContext) => {
    const rules = {
      audience: ['api'],
      clockTolerance: 5_000,
      maxTokenAge: undefined,
      requiredClaims: [],
      claims: new Map(),
      profile: undefined,
    }
    const algorithms = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA'.split(' ')
    t.assert.deepStrictEqual(readPluginOptions(good), {
      issuers: [
        {
          issuer: good.issuer,
          algorithms: new Set(algorithms),
          rules,
          secret: undefined,
          jwksUris: undefined,
          metadataUrl: undefined,
          allowInsecure: false,
          openIdConfiguration: new URL(`${good.issuer}/.well-known/openid-configuration`),
        },
      ],
      jwks: {
        refreshInterval: 300_000,
        maxStale: 3_600_000,
        cooldown: 10_000,
        timeout: 5_000,
        maxResponseSize: 1_048_576,
        dispatcher: undefined,
        prefetch: false,
        store: undefined,
      },
      cache: { max: 10_000, maxBytes: 64 * 1024 * 1024 },
      global: false,
      scopes: { scopeClaims: ['scope', 'scp', 'permissions'], impliedScopes: new Map() },
      decoratorName: 'user',
      realm: 'api',
      allowInsecureIssuers: false,
      dpop: undefined,
      mtls: undefined,
      resource: undefined,
    })
  })

  test('given options replace the defaults', (t: TestContext) => {
    const jwks = {
      refreshInterval: 1,
      maxStale: 2,
      cooldown: 3,
      timeout: 4,
      maxResponseSize: 5,
      dispatcher: { dispatch: () => true },
      prefetch: true,
    }
    const cache = { max: 1, maxBytes: 2 }
    const own = { global: true, decoratorName: 'auth', realm: 'ping', allowInsecureIssuers: true }
    const scopes = { scopeClaims: ['roles'], impliedScopes: { a: ['b'] } }
    const settings = readPluginOptions({ ...good, jwks, cache, ...own, ...scopes })
    const [defaults] = issuersOf(good)
    t.assert.deepStrictEqual(settings, {
      issuers: [{ ...defaults, allowInsecure: true }],
      jwks: { ...jwks, store: undefined },
      cache,
      scopes: { scopeClaims: ['roles'], impliedScopes: new Map([['a', ['b']]]) },
      ...own,
      dpop: undefined,
      mtls: undefined,
      resource: undefined,
    })

    const rules = { clockTolerance: 1, maxTokenAge: 2, requiredClaims: ['sub'], profile: 'rfc9068' }
    const claims = { token_use: 'access', level: [1, 2] }
    const [issuer] = issuersOf({ ...good, ...rules, claims, audience: ['api', 'web'] })
    t.assert.deepStrictEqual(issuer!.rules, {
      ...rules,
      audience: ['api', 'web'],
      claims: new Map([
        ['token_use', ['access']],
        ['level', [1, 2]],
      ] as const),
    })
  })

  test('the only default algorithm with a secret is HS256', (t: TestContext) => {
    const [issuer] = issuersOf({ ...good, secret })
    t.assert.deepStrictEqual([...issuer!.algorithms], ['HS256'])
  })

  test('EdDSA and Ed25519 are one algorithm', (t: TestContext) => {
    const [issuer] = issuersOf({ ...good, algorithms: ['Ed25519', 'EdDSA'] })
    t.assert.deepStrictEqual([...issuer!.algorithms], ['EdDSA'])
  })

  test('the default algorithms with a secret and jwksUri are HS256 and all asymmetric ones', (t: TestContext) => {
    const [both] = issuersOf({ ...good, secret, jwksUri })
    const [published] = issuersOf(good)
    t.assert.deepStrictEqual([...both!.algorithms], ['HS256', ...published!.algorithms])
  })

  test('metadataUrl replaces the well-known place also in the OpenAPI document', (t: TestContext) => {
    const metadataUrl = 'https://metadata.example/policy?p=a'
    const [issuer] = issuersOf({ ...good, metadataUrl })
    t.assert.strictEqual(issuer!.metadataUrl!.href, metadataUrl)
    t.assert.strictEqual(issuer!.openIdConfiguration!.href, metadataUrl)
  })

  test('a domain sets the issuer and its jwksUri', (t: TestContext) => {
    const name = ({ issuer, jwksUris }: IssuerUrls): unknown => [issuer, jwksUris?.map(({ href }) => href)]
    const read = (options: object): unknown => name(issuersOf({ audience: 'api', ...options })[0]!)
    const issuer = 'https://tenant.example:8443/'
    t.assert.deepStrictEqual(read({ domain: 'tenant.example:8443' }), [
      issuer,
      [`${issuer}.well-known/jwks.json`],
    ])
    t.assert.deepStrictEqual(read({ domain: 'tenant.example:8443', jwksUri }), [issuer, [`${jwksUri}/`]])
    t.assert.deepStrictEqual(read({ domain: 'tenant.example:8443', secret }), [issuer, undefined])
  })
})

suite('the options object', () => {
  test('the options object may be frozen and is not changed', async (t: TestContext) => {
    const make = (): JwksAuthOptions => ({
      issuers: [
        { issuer: 'https://issuer.example', audience: ['api', 'web'], algorithms: ['Ed25519', 'RS256'] },
        { domain: 'tenant.example', audience: false, secret: 'x'.repeat(32), requiredClaims: ['sub'] },
        { issuer: 'https://other.example', audience: 'api', claims: { token_use: ['access'], level: 1 } },
      ],
      jwks: { timeout: 1_000 },
      realm: 'ping',
    })
    const options = make()
    await accepts(t, options)
    t.assert.deepStrictEqual(options, make())
    freezeDeeply(options)
    await accepts(t, options)
  })

  test('the issuers option may be a function, and registration does not call it', async (t: TestContext) => {
    const issuers = t.mock.fn(() => undefined)
    await accepts(t, Object.freeze({ issuers, jwks: { prefetch: true } }))
    t.assert.strictEqual(issuers.mock.callCount(), 0)
    t.assert.strictEqual(readPluginOptions({ issuers }).issuers, issuers)
    t.assert.strictEqual(Object.isFrozen(issuers), false)
  })

  test('changes to the options after registration have no effect', async (t: TestContext) => {
    await using issuer = await LocalIssuer.start()
    const ofIssuer = {
      issuer: issuer.issuer,
      audience: ['api'],
      algorithms: ['ES256' as const],
      clockTolerance: 0,
      requiredClaims: ['sub'],
      claims: { token_use: ['access'], level: 1 },
    }
    const options = {
      issuers: [ofIssuer],
      realm: 'before',
      jwks: { timeout: 5_000, maxResponseSize: 1_048_576 },
      formatUser: (claims: AccessTokenClaims) => ({ ...claims, made: 'before' }),
    }
    await using app = await createApp(options)
    Object.assign(options, { realm: 'after', getToken: () => '', isRevoked: () => true, issuers: [] })
    Object.assign(options.jwks, { timeout: 1, maxResponseSize: 1 })
    options.formatUser = (claims) => ({ ...claims, made: 'after' })
    Object.assign(ofIssuer, { issuer: 'another', clockTolerance: 60_000, maxTokenAge: 1, profile: 'rfc9068' })
    ofIssuer.audience.push('web')
    ofIssuer.algorithms.pop()
    ofIssuer.requiredClaims.push('jti')
    ofIssuer.claims.token_use.push('id')
    ofIssuer.claims.level = 2

    const answer = async (claims: object): Promise<LightMyRequestResponse> =>
      call(app, await issuer.token({ claims: { token_use: 'access', level: 1, ...claims } }))
    const accepted = await answer({})
    t.assert.strictEqual(accepted.statusCode, 200)
    t.assert.strictEqual(accepted.json().user.made, 'before')
    const refused: [code: string, claims: object][] = [
      ['invalid_audience', { aud: 'web' }],
      ['token_expired', { exp: now() - 1 }],
      ['invalid_claims', { sub: undefined }],
      ['invalid_claims', { token_use: 'id' }],
      ['invalid_claims', { level: 2 }],
    ]
    for (const [code, claims] of refused) {
      const response = await answer(claims)
      t.assert.strictEqual(response.json().code, code)
      t.assert.match(String(response.headers['www-authenticate']), /^Bearer realm="before"/)
    }
  })

  test('the bytes of a secret may be wiped after registration', async (t: TestContext) => {
    for (const secret of [randomBytes(32), new Uint8Array(randomBytes(32))]) {
      const copy = Uint8Array.from(secret)
      await using app = await createApp({ issuer: 'an issuer', audience: 'api', secret })
      secret.fill(0)
      const token = new SignJWT({ iss: 'an issuer', aud: 'api', exp: now() + 60 })
      token.setProtectedHeader({ alg: 'HS256' })
      const wiped = await call(app, await token.sign(secret))
      t.assert.strictEqual(wiped.json().code, 'token_invalid_signature')
      t.assert.strictEqual((await call(app, await token.sign(copy))).statusCode, 200)
    }
  })
})

suite('registration', () => {
  test('registration and app.ready send no request', async (t: TestContext) => {
    await using issuer = await LocalIssuer.start()
    await using keys = await LocalIssuer.start()
    const issuers = [
      { issuer: issuer.issuer, audience: 'api' },
      { issuer: 'an issuer', jwksUri: keys.jwksUri, audience: 'api' },
    ]
    await using app = await createApp({ issuers })
    await app.ready()
    t.assert.deepStrictEqual([...issuer.requests, ...keys.requests], [])
    await call(app, await issuer.token())
    t.assert.strictEqual(issuer.requests.length, 2)
  })

  const taken: [title: string, decorator: string, before: (app: FastifyInstance) => unknown][] = [
    ['a second registration', 'user', (app) => app.register(jwksAuth, good as JwksAuthOptions)],
    [
      'registration with an existing request.user',
      'user',
      (app) => app.decorateRequest('user', null as never),
    ],
    [
      'registration with an existing request.accessToken',
      'accessToken',
      (app) => app.decorateRequest('accessToken', null),
    ],
    [
      'registration with an existing app.authenticate',
      'authenticate',
      (app) => app.decorate('authenticate', async () => {}),
    ],
    [
      'registration with an existing app.authenticateOptional',
      'authenticateOptional',
      (app) => app.decorate('authenticateOptional', async () => {}),
    ],
    [
      'registration with an existing app.authorize',
      'authorize',
      (app) => app.decorate('authorize', () => async () => {}),
    ],
    [
      'registration with an existing app.jwksStatus',
      'jwksStatus',
      (app) => app.decorate('jwksStatus', () => []),
    ],
    [
      'registration with an existing app.openApiSecurity',
      'openApiSecurity',
      (app) => app.decorate('openApiSecurity', () => ({}) as never),
    ],
    [
      'registration with an existing app.protectedResourceMetadata',
      'protectedResourceMetadata',
      (app) => app.decorate('protectedResourceMetadata', () => ({}) as never),
    ],
  ]
  const cure = 'if another plugin such as @fastify/jwt needs it, set "decoratorName" to a free name; '
  for (const [title, decorator, before] of taken) {
    const error = {
      message: `fastify-jwks-auth: the decorator "${decorator}" exists already, from this plugin or from another one; ${decorator === 'user' ? cure : ''}to accept several issuers, list them in "issuers"`,
    }
    test(`${title} fails and names the plugin and the decorator`, async (t: TestContext) => {
      const app = Fastify()
      await before(app)
      await t.assert.rejects(async () => app.register(jwksAuth, another), error)
    })

    test(`${title} fails in a nested scope as well`, async (t: TestContext) => {
      const app = Fastify()
      await before(app)
      await t.assert.rejects(
        async () =>
          app.register(async (inside) => {
            await inside.register(jwksAuth, another)
          }),
        error,
      )
    })
  }

  test('registration in two sibling scopes gives each scope its own issuer', async (t: TestContext) => {
    const kid = 'shared kid'
    await using one = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    await using two = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    await using app = Fastify()
    for (const [url, { issuer }] of [
      ['/one', one],
      ['/two', two],
    ] as const) {
      app.register(async (scope) => {
        await scope.register(jwksAuth, { issuer, audience: 'api' })
        scope.get(url, { onRequest: scope.authenticate }, async ({ user }) => user.iss)
      })
    }
    const codeOf = async (token: string, url: string): Promise<unknown> => {
      const response = await call(app, token, url)
      return response.statusCode === 200 ? response.body : response.json().code
    }
    t.assert.strictEqual(await codeOf(await one.token(), '/one'), one.issuer)
    t.assert.strictEqual(await codeOf(await two.token(), '/two'), two.issuer)
    t.assert.strictEqual(await codeOf(await one.token(), '/two'), 'invalid_claims')
    t.assert.strictEqual(await codeOf(await two.token(), '/one'), 'invalid_claims')
    t.assert.strictEqual(await codeOf(await one.token({ key: two.key }), '/one'), 'token_invalid_signature')
    t.assert.strictEqual(await codeOf(await two.token({ key: one.key }), '/two'), 'token_invalid_signature')
    // A failed signature causes one fetch more.
    t.assert.deepStrictEqual([one.fetches, two.fetches], [2, 2])
    t.assert.strictEqual(app.hasDecorator('authenticate'), false)
  })
})
