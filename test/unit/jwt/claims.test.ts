import { suite, test } from 'node:test'
import { validateClaims, validateTimes, type ClaimFailure, type ClaimRules } from '../../../lib/jwt/claims.ts'
import type { JwksAuthErrorCode } from '../../../lib/errors.ts'

/** The time of a token in seconds, and the same time in milliseconds for the checks. */
const issuedAt = 1_700_000_000
const clock = issuedAt * 1000

const plain: ClaimRules = {
  audience: ['api'],
  clockTolerance: 5_000,
  maxTokenAge: undefined,
  requiredClaims: [],
  claims: new Map(),
  profile: undefined,
}
const good = {
  iss: 'https://issuer.example',
  aud: 'api',
  sub: 'someone',
  client_id: 'client',
  jti: 'one',
  iat: issuedAt,
  exp: issuedAt + 60,
}

interface Case {
  rules?: Partial<ClaimRules>
  typ?: unknown
  claims?: object
  now?: number
}

type Result = 'accepted' | JwksAuthErrorCode

function failureOf({ rules, typ, claims, now = clock }: Case): ClaimFailure | undefined {
  // Parsed as in a token, where an undefined claim is absent.
  const parsed = JSON.parse(JSON.stringify({ ...good, ...claims })) as Record<string, unknown>
  return validateClaims({ ...plain, ...rules }, typ === undefined ? {} : { typ }, parsed, now).failure
}

function resultOf(token: Case): Result {
  return failureOf(token)?.refusal.code ?? 'accepted'
}

type Row = [title: string, result: Result, token: Case]

function table(name: string, rows: Row[]): void {
  suite(name, () => {
    for (const [title, result, token] of rows) {
      test(`the result is ${result} for ${name}: ${title}`, (t) => t.assert.equal(resultOf(token), result))
    }
  })
}

/** The result for claims from JSON text, for values that JSON.stringify can't produce. */
function resultOfJson(json: string, rules: Partial<ClaimRules> = {}): Result {
  const members = JSON.stringify(good).slice(0, -1)
  const claims = JSON.parse(`${members}, ${json} }`) as Record<string, unknown>
  return validateClaims({ ...plain, ...rules }, {}, claims, clock).failure?.refusal.code ?? 'accepted'
}

const mistyped = [null, '1700000060', '', true, [], [issuedAt], {}]
const show = (value: unknown): string => JSON.stringify(value) ?? 'undefined'

suite('the order of the checks', () => {
  const rules: Partial<ClaimRules> = {
    maxTokenAge: 10_000,
    claims: new Map([['role', ['admin']]]),
  }
  const right = { iat: issuedAt, nbf: issuedAt, exp: issuedAt + 60, role: 'admin' }
  const faults: [check: string, result: Result, fault: Pick<Case, 'typ' | 'claims'>][] = [
    ['typ', 'invalid_claims', { typ: 'logout+jwt' }],
    ['the types of claims', 'invalid_claims', { claims: { sub: undefined } }],
    ['exp', 'token_expired', { claims: { exp: issuedAt - 60 } }],
    ['nbf', 'token_not_active', { claims: { nbf: issuedAt + 60 } }],
    ['age', 'token_expired', { claims: { iat: issuedAt - 60 } }],
    ['aud', 'invalid_audience', { claims: { aud: 'web' } }],
    ['claims', 'invalid_claims', { claims: { role: 'guest' } }],
  ]
  const withFaults = (...picked: typeof faults): Result =>
    resultOf({
      rules: { ...rules, requiredClaims: ['sub'] },
      typ: picked.find(([, , { typ }]) => typ !== undefined)?.[2].typ,
      claims: Object.assign({}, right, ...picked.map(([, , { claims }]) => claims)) as object,
    })

  test('a token without a fault is accepted', (t) => t.assert.equal(withFaults(), 'accepted'))

  faults.forEach((first, index) => {
    const [check, result] = first
    test(`${check} is checked before every later check`, (t) => {
      t.assert.equal(withFaults(first), result)
      for (const later of faults.slice(index + 1)) t.assert.equal(withFaults(first, later), result)
      t.assert.equal(withFaults(...faults.slice(index)), result)
    })
  })

  test('an iat in the future is checked after nbf and before aud', (t) => {
    const ahead = { claims: { iat: issuedAt + 30 } }
    t.assert.equal(withFaults(['iat', 'invalid_claims', ahead], faults[3]!), 'token_not_active')
    t.assert.equal(withFaults(['iat', 'invalid_claims', ahead], faults[5]!), 'invalid_claims')
  })
})

table('exp', [
  ['in the future', 'accepted', { now: good.exp * 1000 - 1 }],
  ['the last millisecond of the tolerance', 'accepted', { now: good.exp * 1000 + 4_999 }],
  ['the end of the tolerance', 'token_expired', { now: good.exp * 1000 + 5_000 }],
  ['without tolerance, the last millisecond', 'accepted', zero(good.exp * 1000 - 1)],
  ['without tolerance, now', 'token_expired', zero(good.exp * 1000)],
  ['a fraction of a second', 'accepted', { ...zero(clock + 499), claims: { exp: issuedAt + 0.5 } }],
  [
    'a fraction of a second, expired',
    'token_expired',
    { ...zero(clock + 500), claims: { exp: issuedAt + 0.5 } },
  ],
  ['0', 'token_expired', { claims: { exp: 0 } }],
  ['negative', 'token_expired', { claims: { exp: -issuedAt } }],
  ['missing', 'invalid_claims', { claims: { exp: undefined } }],
  ...mistyped.map((exp): Row => [show(exp), 'invalid_claims', { claims: { exp } }]),
])

table('nbf', [
  ['missing', 'accepted', {}],
  ['now', 'accepted', { claims: { nbf: issuedAt } }],
  ['in the future by the tolerance', 'accepted', { claims: { nbf: issuedAt + 5 } }],
  ['ahead by more than the tolerance', 'token_not_active', { claims: { nbf: issuedAt + 5 }, now: clock - 1 }],
  ['without tolerance, now', 'accepted', { ...zero(clock), claims: { nbf: issuedAt } }],
  ['without tolerance, in the future', 'token_not_active', { ...zero(clock - 1), claims: { nbf: issuedAt } }],
  ...mistyped.map((nbf): Row => [show(nbf), 'invalid_claims', { claims: { nbf } }]),
])

const aged = { rules: { maxTokenAge: 10_000 } }
table('iat', [
  ['missing', 'accepted', { claims: { iat: undefined } }],
  ['far in the future', 'accepted', { claims: { iat: issuedAt + 1_000 } }],
  ['long ago', 'accepted', { claims: { iat: 1 } }],
  ...mistyped.map((iat): Row => [show(iat), 'invalid_claims', { claims: { iat } }]),

  ['with maxTokenAge, young enough', 'accepted', { ...aged, now: clock + 14_999 }],
  ['with maxTokenAge, too old', 'token_expired', { ...aged, now: clock + 15_000 }],
  ['with maxTokenAge, in the future by the tolerance', 'accepted', { ...aged, now: clock - 5_000 }],
  [
    'with maxTokenAge, in the future by more than the tolerance',
    'invalid_claims',
    { ...aged, now: clock - 5_001 },
  ],
  ['with maxTokenAge, missing', 'invalid_claims', { ...aged, claims: { iat: undefined } }],
  ...mistyped.map((iat): Row => [
    `with maxTokenAge, ${show(iat)}`,
    'invalid_claims',
    { ...aged, claims: { iat } },
  ]),
])

suite('the times of a token that was verified before', () => {
  const rules: Partial<ClaimRules> = { maxTokenAge: 40_000 }
  const claims = { nbf: issuedAt + 20, exp: issuedAt + 30 }
  const validate = (now: number, at: Case = { rules, claims }): Result => {
    const { times } = validateClaims({ ...plain, ...at.rules }, {}, { ...good, ...at.claims }, clock)
    return validateTimes(times!, now)?.refusal.code ?? 'accepted'
  }

  test('a token that was refused only for its times is accepted while its times are valid', (t) => {
    t.assert.equal(resultOf({ rules, claims }), 'token_not_active')
    const [from, until] = [clock + 15_000, clock + 35_000]
    t.assert.deepEqual(
      [from - 1, from, until - 1, until].map((now) => validate(now)),
      ['token_not_active', 'accepted', 'accepted', 'token_expired'],
    )
  })

  test('maxTokenAge is checked again for a token that was verified before', (t) => {
    const aging = { rules, claims: { exp: issuedAt + 600 } }
    t.assert.deepEqual(
      [-5_001, -5_000, 44_999, 45_000].map((after) => validate(clock + after, aging)),
      ['invalid_claims', 'accepted', 'accepted', 'token_expired'],
    )
  })

  for (const [fault, token] of [
    ['a wrong audience', { claims: { aud: 'web' } }],
    ['a wrong claim', wants('use', 'access')],
    ['a claim of a wrong type', { claims: { sub: 5 } }],
  ] as const) {
    test(`a token with ${fault} has no times to check again`, (t) => {
      const { rules: own = {}, claims: others = {} }: Case = token
      t.assert.equal(validateClaims({ ...plain, ...own }, {}, { ...good, ...others }, clock).times, undefined)
    })
  }
})

suite('numbers that JavaScript reads as infinite', () => {
  for (const name of ['exp', 'nbf', 'iat']) {
    for (const number of ['1e999', '-1e999']) {
      test(`${name}: ${number} is not a valid time`, (t) => {
        t.assert.equal(resultOfJson(`"${name}": ${number}`), 'invalid_claims')
      })
    }
  }
})

const anyAudience = { rules: { audience: false as const } }
const twoAudiences = { rules: { audience: ['api', 'web'] } }
table('aud', [
  ['the configured audience', 'accepted', { claims: { aud: 'api' } }],
  ['a list of only the configured audience', 'accepted', { claims: { aud: ['api'] } }],
  ['a list that includes the configured audience', 'accepted', { claims: { aud: ['web', 'api'] } }],
  ['the first of two configured audiences', 'accepted', { ...twoAudiences, claims: { aud: 'api' } }],
  [
    'the second of two configured audiences',
    'accepted',
    { ...twoAudiences, claims: { aud: ['other', 'web'] } },
  ],
  ['another', 'invalid_audience', { claims: { aud: 'web' } }],
  ['another case', 'invalid_audience', { claims: { aud: 'API' } }],
  ['the configured audience with more text', 'invalid_audience', { claims: { aud: 'api web' } }],
  ['a list of other audiences', 'invalid_audience', { ...twoAudiences, claims: { aud: ['other', 'apis'] } }],
  ['empty', 'invalid_audience', { claims: { aud: '' } }],
  ['an empty list', 'invalid_audience', { claims: { aud: [] } }],
  ['missing', 'invalid_claims', { claims: { aud: undefined } }],
  ['null', 'invalid_claims', { claims: { aud: null } }],
  ['a number', 'invalid_claims', { claims: { aud: 5 } }],
  ['true', 'invalid_claims', { claims: { aud: true } }],
  ['an object', 'invalid_claims', { claims: { aud: { api: 'api' } } }],
  ['an object like a list', 'invalid_claims', { claims: { aud: { 0: 'api', length: 1 } } }],
  ['a list of the configured audience and a number', 'invalid_claims', { claims: { aud: ['api', 5] } }],
  ['a list of the configured audience and null', 'invalid_claims', { claims: { aud: ['api', null] } }],
  ['a list in a list', 'invalid_claims', { claims: { aud: [['api']] } }],

  ['with audience: false, missing', 'accepted', { ...anyAudience, claims: { aud: undefined } }],
  ['with audience: false, another', 'accepted', { ...anyAudience, claims: { aud: 'web' } }],
  ['with audience: false, a number', 'invalid_claims', { ...anyAudience, claims: { aud: 5 } }],
])

test('the error message names the expected audiences and not those of the token', (t) => {
  const claims = { ...good, aud: 'what the token says' }
  t.assert.deepEqual(
    validateClaims({ ...plain, audience: ['api', 'web'] }, {}, claims, clock).failure?.refusal,
    {
      code: 'invalid_audience',
      statusCode: 401,
      challengeError: 'invalid_token',
      message: 'the audience does not match. expected: api, web',
    },
  )
})

table('string claims', [
  ['a number as sub', 'invalid_claims', { claims: { sub: 5 } }],
  ['an object as sub', 'invalid_claims', { claims: { sub: { $ne: null } } }],
  ['null as sub', 'invalid_claims', { claims: { sub: null } }],
  ['no sub', 'accepted', { claims: { sub: undefined } }],
  ['a list as jti', 'invalid_claims', { claims: { jti: ['a'] } }],
  ['a number as client_id', 'invalid_claims', { claims: { client_id: 1 } }],
  ['all of them', 'accepted', { claims: { sub: 'a', jti: 'b', client_id: 'c' } }],
])

const requires = (...requiredClaims: string[]): Pick<Case, 'rules'> => ({ rules: { requiredClaims } })
table('requiredClaims', [
  ['all present', 'accepted', { ...requires('sub', 'scope'), claims: { scope: 'read' } }],
  [
    'false, 0 and an empty string are present',
    'accepted',
    { ...requires('a', 'b', 'c'), claims: { a: false, b: 0, c: '' } },
  ],
  ['one missing', 'invalid_claims', { ...requires('sub', 'scope') }],
  ['null', 'invalid_claims', { ...requires('sub'), claims: { sub: null } }],
  ['in another case', 'invalid_claims', { ...requires('SUB') }],
  ['constructor, missing', 'invalid_claims', requires('constructor')],
  ['toString, missing', 'invalid_claims', requires('toString')],
  ['__proto__, missing', 'invalid_claims', requires('__proto__')],
  ['constructor, present', 'accepted', { ...requires('constructor'), claims: { constructor: 'a' } }],
  ['toString, present', 'accepted', { ...requires('toString'), claims: { toString: 'a' } }],
])

test('a required claim may have the name __proto__', (t) => {
  t.assert.equal(resultOfJson('"__proto__": 1', { requiredClaims: ['__proto__'] }), 'accepted')
  t.assert.equal(resultOfJson('"__proto__": null', { requiredClaims: ['__proto__'] }), 'invalid_claims')
  t.assert.equal(
    resultOfJson('"__proto__": {"role": "admin"}', { requiredClaims: ['role'] }),
    'invalid_claims',
  )
})

function wants(name: string, ...values: (string | number | boolean)[]): Pick<Case, 'rules'> {
  return { rules: { claims: new Map([[name, values]]) } }
}
table('claims', [
  ['a string', 'accepted', { ...wants('use', 'access'), claims: { use: 'access' } }],
  ['a number', 'accepted', { ...wants('level', 2), claims: { level: 2 } }],
  ['zero', 'accepted', { ...wants('level', 0), claims: { level: 0 } }],
  ['true', 'accepted', { ...wants('admin', true), claims: { admin: true } }],
  ['false', 'accepted', { ...wants('admin', false), claims: { admin: false } }],
  ['the first of several', 'accepted', { ...wants('use', 'access', 'id'), claims: { use: 'access' } }],
  ['the last of several', 'accepted', { ...wants('use', 'access', 2), claims: { use: 2 } }],
  ['a wrong string', 'invalid_claims', { ...wants('use', 'access'), claims: { use: 'id' } }],
  ['another case', 'invalid_claims', { ...wants('use', 'access'), claims: { use: 'Access' } }],
  ['none of several', 'invalid_claims', { ...wants('use', 'access', 'refresh'), claims: { use: 'id' } }],
  ['missing', 'invalid_claims', wants('use', 'access')],
  ['null', 'invalid_claims', { ...wants('use', 'access'), claims: { use: null } }],
  ['false for a missing claim', 'invalid_claims', wants('admin', false)],
  [
    'a list that contains the value',
    'accepted',
    { ...wants('use', 'access'), claims: { use: ['id', 'access'] } },
  ],
  ['a list without the value', 'invalid_claims', { ...wants('use', 'access'), claims: { use: ['id'] } }],
  ['an empty list', 'invalid_claims', { ...wants('use', 'access'), claims: { use: [] } }],
  ['a list in a list', 'invalid_claims', { ...wants('use', 'access'), claims: { use: [['access']] } }],
  ['an object', 'invalid_claims', { ...wants('use', 'access'), claims: { use: { access: 'access' } } }],
  ['a number for a string', 'invalid_claims', { ...wants('level', '2'), claims: { level: 2 } }],
  ['a string for a number', 'invalid_claims', { ...wants('level', 2), claims: { level: '2' } }],
  ['a string for a boolean', 'invalid_claims', { ...wants('admin', true), claims: { admin: 'true' } }],
  ['1 for true', 'invalid_claims', { ...wants('admin', true), claims: { admin: 1 } }],
  ['toString, missing', 'invalid_claims', wants('toString', 'a')],
  ['toString, present', 'accepted', { ...wants('toString', 'a'), claims: { toString: 'a' } }],
  [
    'the second of two wrong',
    'invalid_claims',
    {
      rules: {
        claims: new Map([
          ['use', ['access']],
          ['role', ['admin']],
        ]),
      },
      claims: { use: 'access', role: 'guest' },
    },
  ],
])

const nested: Pick<Case, 'rules'> = {
  rules: { claims: new Map([['realm_access', new Map([['roles', ['admin', 'owner']]])]]) },
}
table('claims within a claim', [
  ['the value', 'accepted', { ...nested, claims: { realm_access: { roles: 'owner' } } }],
  [
    'a list that contains it',
    'accepted',
    { ...nested, claims: { realm_access: { roles: ['user', 'admin'] } } },
  ],
  ['a list without it', 'invalid_claims', { ...nested, claims: { realm_access: { roles: ['user'] } } }],
  ['no member', 'invalid_claims', { ...nested, claims: { realm_access: {} } }],
  ['no claim', 'invalid_claims', nested],
  ['null', 'invalid_claims', { ...nested, claims: { realm_access: null } }],
  ['a list', 'invalid_claims', { ...nested, claims: { realm_access: [{ roles: 'admin' }] } }],
  ['text', 'invalid_claims', { ...nested, claims: { realm_access: 'admin' } }],
  ['a name with a dot', 'invalid_claims', { ...nested, claims: { 'realm_access.roles': 'admin' } }],
])

suite('the claim at fault', () => {
  const faults: [claim: string, token: Case][] = [
    ['typ', { typ: 'logout+jwt' }],
    ['sub', { claims: { sub: 5 } }],
    ['tenant', requires('tenant')],
    ['exp', { claims: { exp: issuedAt - 60 } }],
    ['nbf', { claims: { nbf: issuedAt + 60 } }],
    ['iat', { ...aged, now: clock + 60_000, claims: { exp: issuedAt + 600 } }],
    ['iat', { ...aged, now: clock - 60_000 }],
    ['aud', { claims: { aud: 'web' } }],
    ['use', wants('use', 'access')],
    ['realm_access.roles', nested],
  ]
  for (const [claim, token] of faults) {
    test(`the failure names the claim ${claim} with ${failureOf(token)!.refusal.code}`, (t) => {
      t.assert.equal(failureOf(token)!.claim, claim)
    })
  }
})

test('an inherited claim counts as missing', (t) => {
  const claims = Object.assign(Object.create({ role: 'admin' }) as Record<string, unknown>, good)
  t.assert.equal(
    validateClaims({ ...plain, requiredClaims: ['role'] }, {}, claims, clock).failure?.refusal.code,
    'invalid_claims',
  )
})

const accessTokenTypes = ['at+jwt', 'AT+JWT', 'At+Jwt', 'application/at+jwt', 'Application/AT+JWT']
const generalTypes = ['JWT', 'jwt', 'application/jwt', 'JOSE', '']
const otherTypes = [
  ...['dpop+jwt', 'DPoP+JWT', 'application/dpop+jwt', 'logout+jwt', 'LOGOUT+JWT', 'secevent+jwt'],
  ...['application/secevent+jwt', 'token-introspection+jwt', 'oauth-authz-req+jwt', 'kb+jwt', 'dc+sd-jwt'],
  ...['at+jwt ', 'xat+jwt', 'at+jwt+x', 'text/at+jwt', 'at+application/jwt', 'at+jwt; charset=utf-8'],
]
const noTypes = [null, 5, true, ['at+jwt'], { toString: 'at+jwt' }]
const rfc9068 = { rules: { profile: 'rfc9068' as const } }

table('typ', [
  ['missing', 'accepted', {}],
  ...[...accessTokenTypes, ...generalTypes].map((typ): Row => [show(typ), 'accepted', { typ }]),
  ...[...otherTypes, ...noTypes].map((typ): Row => [show(typ), 'invalid_claims', { typ }]),
])

table('typ by RFC 9068 section 4', [
  ['missing', 'invalid_claims', rfc9068],
  ...accessTokenTypes.map((typ): Row => [show(typ), 'accepted', { ...rfc9068, typ }]),
  ...[...generalTypes, ...otherTypes, ...noTypes].map((typ): Row => [
    show(typ),
    'invalid_claims',
    { ...rfc9068, typ },
  ]),
])

const wrongStrings = [undefined, null, 5, true, ['someone'], {}]
const profile = (claims: object, rules: Partial<ClaimRules> = {}): Case => ({
  rules: { profile: 'rfc9068', ...rules },
  typ: 'at+jwt',
  claims,
})
table('claims by RFC 9068 section 2.2', [
  ['all present', 'accepted', profile({})],
  ...['sub', 'client_id', 'jti'].flatMap((name) =>
    wrongStrings.map((value): Row => [
      `${name} ${show(value)}`,
      'invalid_claims',
      profile({ [name]: value }),
    ]),
  ),
  ...[undefined, ...mistyped].flatMap((time): Row[] => [
    [`exp ${show(time)}`, 'invalid_claims', profile({ exp: time })],
    [`iat ${show(time)}`, 'invalid_claims', profile({ iat: time })],
  ]),
  ['aud missing', 'invalid_claims', profile({ aud: undefined })],
  ['aud missing with audience: false', 'invalid_claims', profile({ aud: undefined }, { audience: false })],
  ['aud a number with audience: false', 'invalid_claims', profile({ aud: 5 }, { audience: false })],
  ['another aud with audience: false', 'accepted', profile({ aud: 'web' }, { audience: false })],
  ['another aud', 'invalid_audience', profile({ aud: 'web' })],
])

const thumbprint = 'A-_'.padEnd(43, '0')
table('cnf', [
  ['an empty object', 'accepted', { claims: { cnf: {} } }],
  ['other members', 'accepted', { claims: { cnf: { kid: 5, jwk: {} } } }],
  ...[null, 'x', 5, true, [], [{ jkt: thumbprint }]].map((cnf): Row => [
    show(cnf),
    'invalid_claims',
    { claims: { cnf } },
  ]),
  ...['jkt', 'x5t#S256'].flatMap((member): Row[] => [
    [`${member} a thumbprint`, 'accepted', { claims: { cnf: { [member]: thumbprint } } }],
    ...[
      ...[null, 5, '', [thumbprint], {}, thumbprint.slice(1), `${thumbprint}=`, `${thumbprint}A`],
      ...[`+${thumbprint.slice(1)}`, `${thumbprint.slice(1)}\n`],
    ].map((value): Row => [
      `${member} ${show(value)}`,
      'invalid_claims',
      { claims: { cnf: { [member]: value } } },
    ]),
  ]),
])

suite('optional claims', () => {
  for (const name of ['sub', 'client_id', 'jti', 'iat']) {
    test(`${name} may be missing without the profile`, (t) => {
      t.assert.equal(resultOf({ claims: { [name]: undefined } }), 'accepted')
    })
  }
})

function zero(now: number): Case {
  return { rules: { clockTolerance: 0 }, now }
}

test('an inherited claim does not count as a value of claims, at any depth', (t) => {
  const inherited = Object.create({ role: 'admin' }) as Record<string, unknown>
  const failureFor = (values: ClaimRules['claims'], claims: object): unknown =>
    validateClaims({ ...plain, claims: values }, {}, claims as Record<string, unknown>, clock).failure?.claim
  const role = new Map([['role', ['admin']]])
  t.assert.equal(failureFor(role, Object.assign(Object.create({ role: 'admin' }) as object, good)), 'role')
  t.assert.equal(failureFor(new Map([['realm', role]]), { ...good, realm: inherited }), 'realm.role')
  t.assert.equal(failureFor(role, { ...good, role: 'admin' }), undefined)
})
