import { suite, test } from 'node:test'
import type { AuthorizeOptions } from '../../lib/index.ts'
import { call, createApp, verdict } from '../helpers/app.ts'
import { LocalIssuer } from '../helpers/issuer.ts'

const issuer = await LocalIssuer.start()
const options = { issuer: issuer.issuer, audience: 'api' }
test.after(() => issuer.close())

const forbidden = {
  status: 403,
  code: 'insufficient_scope',
  message: 'the access token does not permit this request',
}

/** The verdict on a token with these claims, on a route with this rule. */
async function judged(
  rule: AuthorizeOptions,
  claims: Record<string, unknown>,
): Promise<ReturnType<typeof verdict>> {
  const app = await createApp(options)
  app.get('/', { onRequest: app.authorize(rule) }, async (request) => ({ code: request.user.sub }))
  return verdict(await call(app, await issuer.token({ claims }), '/'))
}

suite('scopes', () => {
  const rows: [title: string, rule: AuthorizeOptions, claims: Record<string, unknown>, passes: boolean][] = [
    ['one that the token has', { scope: 'a' }, { scope: 'a b' }, true],
    ['all that it has', { scope: ['a', 'b'] }, { scope: 'b c a' }, true],
    ['all, written as one string', { scope: 'a b' }, { scope: 'a b' }, true],
    ['one that it lacks', { scope: 'c' }, { scope: 'a b' }, false],
    ['all, of which it lacks one', { scope: ['a', 'c'] }, { scope: 'a b' }, false],
    ['a part of a name', { scope: 'read' }, { scope: 'read:all unread' }, false],
    ['any, of which it has one', { anyScope: ['c', 'b'] }, { scope: 'a b' }, true],
    ['any, of which it has none', { anyScope: 'c d' }, { scope: 'a b' }, false],
    ['all and any, of which it lacks the any', { scope: 'a', anyScope: ['c', 'd'] }, { scope: 'a b' }, false],
    ['in a list', { scope: ['a', 'b'] }, { scope: ['a', 'b'] }, true],
    ['in scp', { scope: ['a', 'b'] }, { scp: 'a b' }, true],
    ['in scp as a list', { scope: ['a', 'b'] }, { scp: ['a', 'b'] }, true],
    ['in permissions', { scope: 'read:ping' }, { permissions: ['read:ping'] }, true],
    ['here and there', { scope: ['a', 'b', 'c'] }, { scope: 'a', scp: ['b'], permissions: ['c'] }, true],
    ['without any scope in the token', { scope: 'a' }, {}, false],
    [
      'with things that are no scopes',
      { scope: '1' },
      { scope: 1, scp: null, permissions: [{ a: 1 }, 1] },
      false,
    ],
    ['a part of an entry of a list', { scope: 'read' }, { permissions: ['read all'] }, false],
    ['an inherited name', { scope: 'constructor' }, { scope: 'a' }, false],
  ]
  for (const [title, rule, claims, passes] of rows) {
    test(`${title}: ${passes ? 'permitted' : 'refused'}`, async (t) => {
      const { status } = await judged(rule, claims)
      t.assert.equal(status, passes ? 200 : 403)
    })
  }

  test('the challenge names every scope of the rule', async (t) => {
    t.assert.deepEqual(await judged({ scope: ['a', 'b'], anyScope: ['c', 'a'] }, {}), {
      ...forbidden,
      challenge: 'Bearer realm="api", error="insufficient_scope", scope="a b c"',
    })
  })
})

suite('claims', () => {
  const rows: [rule: AuthorizeOptions['claims'], claims: Record<string, unknown>, passes: boolean][] = [
    [{ org: 'a' }, { org: 'a' }, true],
    [{ org: 'a' }, { org: 'b' }, false],
    [{ org: 'a' }, {}, false],
    [{ org: ['a', 'b'] }, { org: 'b' }, true],
    [{ org: 'a' }, { org: ['b', 'a'] }, true],
    [{ org: ['a', 'c'] }, { org: ['b', 'd'] }, false],
    [{ org: 'a' }, { org: [] }, false],
    [{ level: 1 }, { level: 1 }, true],
    [{ level: 1 }, { level: '1' }, false],
    [{ admin: true }, { admin: true }, true],
    [{ admin: true }, { admin: 'true' }, false],
    [{ org: 'a', admin: true }, { org: 'a' }, false],
    [{ toString: 'a' }, {}, false],
  ]
  for (const [rule, claims, passes] of rows) {
    test(`${JSON.stringify(claims)} for ${JSON.stringify(rule)}: ${passes ? 'permitted' : 'refused'}`, async (t) => {
      const { status, challenge } = await judged({ claims: rule! }, claims)
      t.assert.equal(status, passes ? 200 : 403)
      t.assert.equal(challenge, passes ? undefined : 'Bearer realm="api", error="insufficient_scope"')
    })
  }
})

suite('check', () => {
  test('is asked with claims and request once all else is permitted, and passes on true', async (t) => {
    const asked: unknown[] = []
    const check: AuthorizeOptions['check'] = ({ sub }, { url }) => asked.push([sub, url]) > 0
    t.assert.equal((await judged({ check }, {})).status, 200)
    t.assert.equal((await judged({ scope: 'a', check }, {})).status, 403)
    t.assert.deepEqual(asked, [['someone', '/']])
  })

  for (const [title, result] of [
    ['false', false],
    ['undefined', undefined],
    ['1', 1],
    ['an object', {}],
    ['a promise of false', Promise.resolve(false)],
    ['a promise of 1', Promise.resolve(1)],
  ] as const) {
    test(`${title} is a refusal`, async (t) => {
      const { challenge, ...rest } = await judged({ check: () => result as never }, {})
      t.assert.deepEqual(rest, forbidden)
      t.assert.equal(challenge, 'Bearer realm="api", error="insufficient_scope"')
    })
  }

  test('may be asynchronous', async (t) => {
    t.assert.equal((await judged({ check: async () => true }, {})).status, 200)
  })

  for (const [title, check] of [
    [
      'throws',
      () => {
        throw Object.assign(new Error('mine'), { statusCode: 418 })
      },
    ],
    [
      'rejects',
      async () => {
        throw Object.assign(new Error('mine'), { statusCode: 418 })
      },
    ],
  ] as const) {
    test(`one that ${title} is a refusal, its error unchanged and without a challenge`, async (t) => {
      t.assert.deepEqual(await judged({ check }, {}), {
        status: 418,
        code: undefined,
        message: 'mine',
        challenge: undefined,
      })
    })
  }
})

suite('authentication', () => {
  test('comes first, where it has not happened yet', async (t) => {
    const app = await createApp(options)
    app.get('/', { onRequest: app.authorize({ scope: 'a' }) }, async () => 'x')
    t.assert.deepEqual(verdict(await app.inject('/')), {
      status: 401,
      code: 'authorization_header_missing',
      message: 'Authorization header is expected',
      challenge: 'Bearer realm="api"',
    })
  })

  test('is demanded of a request that passed as nobody', async (t) => {
    const app = await createApp(options)
    app.get(
      '/',
      { onRequest: app.authenticateOptional, preHandler: app.authorize({ check: () => true }) },
      async () => 'x',
    )
    t.assert.equal(verdict(await app.inject('/')).code, 'authorization_header_missing')
  })

  test('is not done again', async (t) => {
    let formatted = 0
    const app = await createApp({ ...options, formatUser: () => ({ made: ++formatted }) as never })
    const preHandler = [app.authorize({ scope: 'a' }), app.authorize({ claims: { sub: 'someone' } })]
    app.get('/', { onRequest: app.authenticate, preHandler }, async (request) => request.user)
    t.assert.deepEqual((await call(app, await issuer.token({ claims: { scope: 'a' } }), '/')).json(), {
      made: 1,
    })
  })

  test('looks at the claims and not at what formatUser made of them', async (t) => {
    const app = await createApp({ ...options, formatUser: () => ({ scope: 'admin' }) as never })
    app.get('/', { onRequest: app.authorize({ scope: 'admin' }) }, async () => 'x')
    t.assert.equal((await call(app, await issuer.token(), '/')).statusCode, 403)
  })
})

suite('a rule that would let everybody through is a TypeError where the route is declared', () => {
  const rows: [title: string, rule: unknown, message: RegExp][] = [
    ['none', undefined, /"authorize" must be called with a rule/],
    ['a string', 'read', /"authorize" must be called with a rule/],
    [
      'an empty one',
      {},
      /"authorize" must hold at least one of scope, anyScope, claims, acr, maxAuthAge, check/,
    ],
    ['empty claims', { claims: {} }, /"authorize.claims" must name at least one claim/],
    ['only undefined parts', { scope: undefined }, /"authorize" must hold at least one of/],
    [
      'an unknown name',
      { scopes: 'a' },
      /"authorize.scopes" is unknown; known are scope, anyScope, claims, acr, maxAuthAge, check/,
    ],
    ['an empty scope', { scope: '' }, /"authorize.scope" must be a non-empty string/],
    ['an empty list', { scope: [] }, /"authorize.scope" must be a list with at least one entry/],
    [
      'a list with an empty scope',
      { anyScope: ['a', ''] },
      /"authorize.anyScope\[1\]" must be a non-empty string/,
    ],
    ['two spaces', { scope: 'a  b' }, /"authorize.scope" must hold scopes of printable ASCII/],
    ['a quote', { scope: 'a"b' }, /"authorize.scope" must hold scopes of printable ASCII/],
    ['a line break', { scope: 'a\nb' }, /"authorize.scope" must hold scopes of printable ASCII/],
    ['a scope that is a number', { scope: 1 }, /"authorize.scope" must be a non-empty string/],
    ['claims that are a list', { claims: ['a'] }, /"authorize.claims" must be a plain object/],
    [
      'a claim without values',
      { claims: { a: [] } },
      /"authorize.claims.a" must be a list with at least one entry/,
    ],
    ['a claim of null', { claims: { a: null } }, /"authorize.claims.a" must be a non-empty string, a number/],
    ['a check that is no function', { check: true }, /"authorize.check" must be a function/],
  ]
  for (const [title, rule, message] of rows) {
    test(title, async (t) => {
      const app = await createApp(options)
      t.assert.throws(() => app.authorize(rule as never), { name: 'TypeError', message })
    })
  }
})

test('app.authorize as a hook, without being called, refuses every request and says how it is used', async (t) => {
  const app = await createApp(options)
  app.get('/', { onRequest: app.authorize as never }, async () => 'open')
  const { statusCode, body } = await call(app, await issuer.token(), '/')
  t.assert.equal(statusCode, 500)
  t.assert.match(body, /must be called with a rule, as in onRequest: app\.authorize\(\{ scope: … \}\)/)
})

suite('isRevoked', () => {
  test('refuses a token with 401 token_revoked', async (t) => {
    const app = await createApp({ ...options, isRevoked: ({ jti }) => jti === 'gone' })
    t.assert.equal((await call(app, await issuer.token({ claims: { jti: 'here' } }))).statusCode, 200)
    t.assert.deepEqual(verdict(await call(app, await issuer.token({ claims: { jti: 'gone' } }))), {
      status: 401,
      code: 'token_revoked',
      message: 'token has been revoked',
      challenge: 'Bearer realm="api", error="invalid_token"',
    })
  })

  for (const [title, result] of [
    ['undefined', undefined],
    ['0', 0],
    ['a promise of null', Promise.resolve(null)],
  ] as const) {
    test(`lets a token pass on false only: ${title}`, async (t) => {
      const app = await createApp({ ...options, isRevoked: () => result as never })
      t.assert.equal(verdict(await call(app, await issuer.token())).code, 'token_revoked')
    })
  }

  test('is asked for every request, and may be asynchronous', async (t) => {
    const asked: string[] = []
    const app = await createApp({ ...options, isRevoked: async (_claims, { url }) => asked.push(url) > 2 })
    const token = await issuer.token()
    const urls = ['/secured', '/optional', '/secured']
    const statuses = []
    for (const url of urls) statuses.push((await call(app, token, url)).statusCode)
    t.assert.deepEqual(statuses, [200, 200, 401])
    t.assert.deepEqual(asked, urls)
  })

  test('is not asked about a token that is refused already', async (t) => {
    const app = await createApp({ ...options, isRevoked: () => t.assert.fail('asked') as never })
    t.assert.equal(verdict(await call(app, await issuer.token({ claims: { exp: 1 } }))).code, 'token_expired')
  })

  for (const [title, isRevoked] of [
    [
      'throws',
      () => {
        throw Object.assign(new Error('mine'), { statusCode: 418 })
      },
    ],
    [
      'rejects',
      async () => {
        throw Object.assign(new Error('mine'), { statusCode: 418 })
      },
    ],
  ] as const) {
    test(`one that ${title} is a refusal, its error unchanged and without a challenge`, async (t) => {
      const app = await createApp({ ...options, isRevoked })
      const response = await call(app, await issuer.token())
      t.assert.deepEqual(verdict(response), {
        status: 418,
        code: undefined,
        message: 'mine',
        challenge: undefined,
      })
    })
  }
})
