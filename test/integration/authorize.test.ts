import { suite, test } from 'node:test'
import fastifyAuth from '@fastify/auth'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, {
  authorize,
  JwksAuthError,
  type AuthenticateHook,
  type AuthorizeOptions,
} from '../../lib/index.ts'
import { call, createApp, readAnswer } from '../helpers/app.ts'
import { LocalIssuer, now } from '../helpers/issuer.ts'

/** Rules of routes: scopes, claims, step-up authentication (RFC 9470) and check. At the end: isRevoked. */

const issuer = await LocalIssuer.start()
const options = { issuer: issuer.issuer, audience: 'api' }
test.after(() => issuer.close())

const forbidden = {
  status: 403,
  code: 'insufficient_scope',
  message: 'the access token does not permit this request',
}

/** The answer of a route with this rule to a token with these claims. */
async function ask(
  rule: AuthorizeOptions,
  claims: Record<string, unknown>,
): Promise<ReturnType<typeof readAnswer>> {
  const app = await createApp(options)
  app.get('/', { onRequest: app.authorize(rule) }, async (request) => ({ code: request.user.sub }))
  return readAnswer(await call(app, await issuer.token({ claims }), '/'))
}

const failingCallbacks = [
  [
    'throws',
    () => {
      throw Object.assign(new Error('mine'), { statusCode: 418 })
    },
  ],
  [
    'rejects with',
    async () => {
      throw Object.assign(new Error('mine'), { statusCode: 418 })
    },
  ],
] as const

suite('scopes', () => {
  const rows: [title: string, rule: AuthorizeOptions, claims: Record<string, unknown>, passes: boolean][] = [
    ['a scope that the token has', { scope: 'a' }, { scope: 'a b' }, true],
    ['scopes that the token has', { scope: ['a', 'b'] }, { scope: 'b c a' }, true],
    ['scopes in one string', { scope: 'a b' }, { scope: 'a b' }, true],
    ['a scope that the token lacks', { scope: 'c' }, { scope: 'a b' }, false],
    ['scopes of which the token lacks one', { scope: ['a', 'c'] }, { scope: 'a b' }, false],
    [
      'a scope that is a part of a scope of the token',
      { scope: 'read' },
      { scope: 'read:all unread' },
      false,
    ],
    ['anyScope of which the token has one', { anyScope: ['c', 'b'] }, { scope: 'a b' }, true],
    ['anyScope of which the token has none', { anyScope: 'c d' }, { scope: 'a b' }, false],
    [
      'scope and anyScope of which the token has only the scope',
      { scope: 'a', anyScope: ['c', 'd'] },
      { scope: 'a b' },
      false,
    ],
    ['scopes of a token with a list of scopes', { scope: ['a', 'b'] }, { scope: ['a', 'b'] }, true],
    ['scopes of a token with scp', { scope: ['a', 'b'] }, { scp: 'a b' }, true],
    ['scopes of a token with a list in scp', { scope: ['a', 'b'] }, { scp: ['a', 'b'] }, true],
    ['a scope of a token with permissions', { scope: 'read:ping' }, { permissions: ['read:ping'] }, true],
    [
      'scopes that the token has in three claims',
      { scope: ['a', 'b', 'c'] },
      { scope: 'a', scp: ['b'], permissions: ['c'] },
      true,
    ],
    ['a scope for a token without scopes', { scope: 'a' }, {}, false],
    [
      'a scope for a token with claims that are no scopes',
      { scope: '1' },
      { scope: 1, scp: null, permissions: [{ a: 1 }, 1] },
      false,
    ],
    ['a scope that is a part of an entry of a list', { scope: 'read' }, { permissions: ['read all'] }, false],
    ['a scope with a name of Object.prototype', { scope: 'constructor' }, { scope: 'a' }, false],
  ]
  for (const [title, rule, claims, passes] of rows) {
    test(`a rule with ${title} is ${passes ? 'permitted' : 'refused'}`, async (t) => {
      const { status } = await ask(rule, claims)
      t.assert.equal(status, passes ? 200 : 403)
    })
  }

  test('the challenge names every scope of the rule', async (t) => {
    t.assert.deepEqual(await ask({ scope: ['a', 'b'], anyScope: ['c', 'a'] }, {}), {
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
    test(`a token with ${JSON.stringify(claims)} is ${passes ? 'permitted' : 'refused'} for a rule with ${JSON.stringify(rule)}`, async (t) => {
      const { status, challenge } = await ask({ claims: rule! }, claims)
      t.assert.equal(status, passes ? 200 : 403)
      t.assert.equal(challenge, passes ? undefined : 'Bearer realm="api", error="insufficient_scope"')
    })
  }
})

suite('check', () => {
  test('check is called with claims and request after the other parts of the rule, and permits with true', async (t) => {
    const asked: unknown[] = []
    const check: AuthorizeOptions['check'] = ({ sub }, { url }) => asked.push([sub, url]) > 0
    t.assert.equal((await ask({ check }, {})).status, 200)
    t.assert.equal((await ask({ scope: 'a', check }, {})).status, 403)
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
    test(`a check that returns ${title} refuses`, async (t) => {
      const { challenge, ...rest } = await ask({ check: () => result as never }, {})
      t.assert.deepEqual(rest, forbidden)
      t.assert.equal(challenge, 'Bearer realm="api", error="insufficient_scope"')
    })
  }

  test('check may be asynchronous', async (t) => {
    t.assert.equal((await ask({ check: async () => true }, {})).status, 200)
  })

  for (const [title, check] of failingCallbacks) {
    test(`an error that check ${title} is passed on unchanged and without a challenge`, async (t) => {
      t.assert.deepEqual(await ask({ check }, {}), {
        status: 418,
        code: undefined,
        message: 'mine',
        challenge: undefined,
      })
    })
  }
})

suite('authentication', () => {
  test('a request that was not authenticated is authenticated before a rule is checked', async (t) => {
    const app = await createApp(options)
    app.get('/', { onRequest: app.authorize({ scope: 'a' }) }, async () => 'x')
    t.assert.deepEqual(readAnswer(await app.inject('/')), {
      status: 401,
      code: 'authorization_header_missing',
      message: 'Authorization header is expected',
      challenge: 'Bearer realm="api", scope="a"',
    })
  })

  test('a rule requires a token after authenticateOptional let a request pass without one', async (t) => {
    const app = await createApp(options)
    app.get(
      '/',
      { onRequest: app.authenticateOptional, preHandler: app.authorize({ check: () => true }) },
      async () => 'x',
    )
    t.assert.equal(readAnswer(await app.inject('/')).code, 'authorization_header_missing')
  })

  test('a rule does not authenticate an authenticated request again', async (t) => {
    let formatted = 0
    const app = await createApp({ ...options, formatUser: () => ({ made: ++formatted }) as never })
    const preHandler = [app.authorize({ scope: 'a' }), app.authorize({ claims: { sub: 'someone' } })]
    app.get('/', { onRequest: app.authenticate, preHandler }, async (request) => request.user)
    t.assert.deepEqual((await call(app, await issuer.token({ claims: { scope: 'a' } }), '/')).json(), {
      made: 1,
    })
  })

  test('a rule checks the claims and not the user of formatUser', async (t) => {
    const app = await createApp({ ...options, formatUser: () => ({ scope: 'admin' }) as never })
    app.get('/', { onRequest: app.authorize({ scope: 'admin' }) }, async () => 'x')
    t.assert.equal((await call(app, await issuer.token(), '/')).statusCode, 403)
  })
})

suite('a rule without an effect', () => {
  const rows: [title: string, rule: unknown, message: RegExp][] = [
    ['that is missing', undefined, /"authorize" must be called with a rule/],
    ['that is a string', 'read', /"authorize" must be called with a rule/],
    [
      'that is empty',
      {},
      /"authorize" must have at least one of scope, anyScope, claims, acr, maxAuthAge, check/,
    ],
    ['with empty claims', { claims: {} }, /"authorize.claims" must name at least one claim/],
    ['with undefined parts only', { scope: undefined }, /"authorize" must have at least one of/],
    [
      'with an unknown name',
      { scopes: 'a' },
      /"authorize.scopes" is unknown; known are scope, anyScope, claims, acr, maxAuthAge, check/,
    ],
    [
      'with a misspelled name',
      { anyScopes: 'a' },
      /"authorize.anyScopes" is unknown; .*; did you mean "authorize.anyScope"\?$/,
    ],
    [
      'with a comma in scope',
      { scope: 'a,b' },
      /"authorize.scope" has a comma: write several scopes as \['a', 'b'\] or 'a b'/,
    ],
    ['with a comma in anyScope', { anyScope: 'a, b' }, /"authorize.anyScope" has a comma/],
    ['with an empty scope', { scope: '' }, /"authorize.scope" must be a non-empty string/],
    [
      'with an empty list of scopes',
      { scope: [] },
      /"authorize.scope" must be a list with at least one entry/,
    ],
    [
      'with an empty scope in a list',
      { anyScope: ['a', ''] },
      /"authorize.anyScope\[1\]" must be a non-empty string/,
    ],
    [
      'with two spaces between scopes',
      { scope: 'a  b' },
      /"authorize.scope" must contain scopes of printable ASCII/,
    ],
    ['with a quote in a scope', { scope: 'a"b' }, /"authorize.scope" must contain scopes of printable ASCII/],
    [
      'with a line break in a scope',
      { scope: 'a\nb' },
      /"authorize.scope" must contain scopes of printable ASCII/,
    ],
    ['with a scope that is a number', { scope: 1 }, /"authorize.scope" must be a non-empty string/],
    ['with claims that are a list', { claims: ['a'] }, /"authorize.claims" must be a plain object/],
    [
      'with a claim without values',
      { claims: { a: [] } },
      /"authorize.claims.a" must be a list with at least one entry/,
    ],
    [
      'with a claim of null',
      { claims: { a: null } },
      /"authorize.claims.a" must be a non-empty string, a number/,
    ],
    ['with a check that is no function', { check: true }, /"authorize.check" must be a function/],
  ]
  for (const [title, rule, message] of rows) {
    test(`a rule ${title} is a TypeError when the route is declared`, async (t) => {
      const app = await createApp(options)
      t.assert.throws(() => app.authorize(rule as never), { name: 'TypeError', message })
    })
  }
})

suite('authorize as a hook, which was not called', () => {
  const error = {
    name: 'TypeError',
    message:
      'fastify-jwks-auth: option "authorize" must be called with a rule, as in onRequest: authorize({ scope: … })',
  }
  const hook = authorize as never

  for (const stage of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
    test(`app.authorize as ${stage} is a TypeError where the route is declared`, async (t) => {
      const app = await createApp(options)
      const declare = (hooks: unknown): unknown =>
        app.get('/', { [stage]: hooks as never }, async () => 'open')
      t.assert.throws(() => declare(app.authorize), error)
      t.assert.throws(() => declare([app.authenticate, app.authorize]), error)
    })

    test(`the exported authorize as ${stage} fails when the server starts`, async (t) => {
      const app = Fastify()
      app.register(jwksAuth, options)
      app.get('/', { [stage]: [hook] }, async () => 'open')
      await t.assert.rejects(async () => app.ready(), error)
    })
  }

  test('the exported authorize as a hook of a scope without the plugin fails when the server starts', async (t) => {
    const app = Fastify()
    app.addHook('onRequest', hook)
    app.get('/', async () => 'open')
    await t.assert.rejects(async () => app.ready(), error)
  })

  test('the exported authorize in @fastify/auth fails where the route is declared', async (t) => {
    const app = Fastify()
    await app.register(fastifyAuth)
    t.assert.throws(() => app.auth([hook]), error)
  })

  for (const [title, declare] of [
    ['as a hook of the scope', (app) => app.addHook('onRequest', app.authorize as never)],
    [
      'that is awaited by another hook',
      (app) =>
        app.addHook('onRequest', async (request, reply) =>
          (app.authorize as never as AuthenticateHook)(request, reply),
        ),
    ],
  ] as [title: string, declare: (app: FastifyInstance) => unknown][]) {
    test(`app.authorize ${title} answers 500 without the reason, which is in the log`, async (t) => {
      const lines: { msg: string }[] = []
      const stream = { write: (line: string): void => void lines.push(JSON.parse(line)) }
      const app = Fastify({ logger: { level: 'error', stream } })
      await app.register(jwksAuth, options)
      declare(app)
      app.get('/', async () => 'open')
      const response = await call(app, await issuer.token(), '/')
      t.assert.equal(response.statusCode, 500)
      t.assert.equal(response.json<{ message: string }>().message, 'Internal Server Error')
      t.assert.equal(lines.filter(({ msg }) => msg.startsWith('authorize is the hook of a route')).length, 1)
    })
  }
})

suite('scopeClaims and impliedScopes', () => {
  const chain = { 'notes:admin': ['notes:write', 'notes:share'], 'notes:write': ['notes:read'] }
  const rows: [
    title: string,
    own: object,
    claims: Record<string, unknown>,
    rule: AuthorizeOptions,
    status: number,
  ][] = [
    ['a claim of scopeClaims', { scopeClaims: ['roles'] }, { roles: ['a'] }, { scope: 'a' }, 200],
    ['a claim that is text', { scopeClaims: ['roles'] }, { roles: 'a b' }, { scope: 'b' }, 200],
    [
      'one of several claims',
      { scopeClaims: ['scope', 'roles'] },
      { roles: ['b'], scope: 'a' },
      { scope: 'a b' },
      200,
    ],
    [
      'only a claim that is not in scopeClaims',
      { scopeClaims: ['roles'] },
      { scope: 'a' },
      { scope: 'a' },
      403,
    ],
    ['no claim of scopeClaims', { scopeClaims: ['roles', 'constructor'] }, {}, { scope: 'a' }, 403],
    ['a broader scope', { impliedScopes: chain }, { scope: 'notes:write' }, { scope: 'notes:read' }, 200],
    [
      'a scope that implies it by another',
      { impliedScopes: chain },
      { scp: ['notes:admin'] },
      { scope: 'notes:read notes:share' },
      200,
    ],
    ['a narrower scope', { impliedScopes: chain }, { scope: 'notes:read' }, { scope: 'notes:write' }, 403],
    [
      'a scope that implies one of them',
      { impliedScopes: chain },
      { permissions: ['notes:admin'] },
      { anyScope: ['x', 'notes:read'] },
      200,
    ],
    [
      'a broader scope in a claim that is not read',
      { impliedScopes: chain, scopeClaims: ['scp'] },
      { scope: 'notes:admin' },
      { scope: 'notes:read' },
      403,
    ],
    ['a broader scope that nothing implies', {}, { scope: 'notes:admin' }, { scope: 'notes:read' }, 403],
  ]
  for (const [title, own, claims, rule, status] of rows) {
    test(`a token with ${title} is answered ${status}, by each kind of rule`, async (t) => {
      const app = Fastify()
      app.get('/exported', { onRequest: authorize(rule) }, async () => 'in')
      app.get('/config', { config: { jwksAuth: rule } }, async () => 'in')
      await app.register(jwksAuth, { ...options, ...own })
      app.get('/decorator', { onRequest: app.authorize(rule) }, async () => 'in')
      const token = await issuer.token({ claims })
      for (const url of ['/exported', '/config', '/decorator']) {
        t.assert.equal((await call(app, token, url)).statusCode, status, url)
      }
    })
  }

  test('the claims and the challenge of a request name no implied scopes', async (t) => {
    const app = Fastify()
    app.register(jwksAuth, { ...options, impliedScopes: chain })
    app.get('/', { onRequest: authorize({ scope: 'notes:write' }) }, async ({ user }) => user)
    const accepted = await call(app, await issuer.token({ claims: { scope: 'notes:admin' } }), '/')
    t.assert.equal(accepted.json<{ scope: string }>().scope, 'notes:admin')
    const refused = await call(app, await issuer.token({ claims: { scope: 'notes:read' } }), '/')
    t.assert.match(String(refused.headers['www-authenticate']), /scope="notes:write"$/)
  })
})

const step = 'Bearer realm="api", error="insufficient_user_authentication"'
const insufficient = {
  status: 401,
  code: 'insufficient_user_authentication',
  message: 'the authentication of the user does not suffice for this request',
}

suite('acr (RFC 9470)', () => {
  const rows: [title: string, acr: string | string[], claim: unknown, passes: boolean][] = [
    ['the required one', 'mfa', 'mfa', true],
    ['one of the required ones', ['phr', 'phrh'], 'phrh', true],
    ['one of the required ones in one string', 'phr phrh', 'phrh', true],
    ['another one', 'mfa', 'pwd', false],
    ['none', 'mfa', undefined, false],
    ['a part of the required one', 'mfa', 'mf', false],
    ['the required one with a suffix', 'mfa', 'mfa2', false],
    ['two in one string', 'mfa', 'mfa pwd', false],
    ['the required one in another case', 'mfa', 'MFA', false],
    ['a list with the required one', 'mfa', ['mfa'], false],
    ['a number with the same text', '1', 1, false],
    ['null', 'null', null, false],
  ]
  for (const [title, acr, claim, passes] of rows) {
    test(`a token whose acr is ${title} is ${passes ? 'permitted' : 'refused'}`, async (t) => {
      t.assert.equal((await ask({ acr }, { acr: claim })).status, passes ? 200 : 401)
    })
  }
})

suite('maxAuthAge', () => {
  const rows: [title: string, claim: unknown, passes: boolean][] = [
    ['now', now(), true],
    ['a minute ago', now() - 60, true],
    ['a fraction of a second ago', now() - 0.5, true],
    ['a few seconds in the future', now() + 4, true],
    ['two minutes ago', now() - 120, false],
    ['missing', undefined, false],
    ['text', `${now()}`, false],
    ['null', null, false],
    ['in milliseconds', Date.now(), false],
    ['in 1970', 0, false],
    ['true', true, false],
  ]
  for (const [title, claim, passes] of rows) {
    test(`a token whose auth_time is ${title} is ${passes ? 'permitted' : 'refused'} for maxAuthAge`, async (t) => {
      const { status } = await ask({ maxAuthAge: 100_000 }, { auth_time: claim })
      t.assert.equal(status, passes ? 200 : 401)
    })
  }

  test('maxAuthAge can end before the token, also for a cached token', async (t) => {
    const app = await createApp({ ...options, clockTolerance: 0 })
    app.get('/', { onRequest: app.authorize({ maxAuthAge: 60_000 }) }, async () => ({}))
    const token = await issuer.token({ claims: { auth_time: now() - 50 } })
    for (const _ of [1, 2, 3]) t.assert.equal((await call(app, token, '/')).statusCode, 200)
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 20_000 })
    t.assert.equal(readAnswer(await call(app, token, '/')).code, insufficient.code)
  })
})

suite('the challenge (section 3)', () => {
  for (const [title, rule, demands] of [
    ['acr', { acr: 'mfa' }, 'acr_values="mfa"'],
    ['several values of acr, in their order and each once', { acr: ['c b', 'a', 'c'] }, 'acr_values="c b a"'],
    ['maxAuthAge', { maxAuthAge: 300_000 }, 'max_age="300"'],
    ['a fraction of a second, rounded down', { maxAuthAge: 1_999 }, 'max_age="1"'],
    ['acr and maxAuthAge', { acr: 'a b', maxAuthAge: 300_000 }, 'acr_values="a b", max_age="300"'],
    ['acr for a token that has the scopes', { scope: 'read', acr: 'mfa' }, 'scope="read", acr_values="mfa"'],
  ] as const) {
    test(`the challenge names ${title}`, async (t) => {
      t.assert.deepEqual(await ask(rule, { scope: 'read' }), {
        ...insufficient,
        challenge: `${step}, ${demands}`,
      })
    })
  }

  test('the challenge names acr and maxAuthAge if one of them is not met', async (t) => {
    const { challenge } = await ask({ acr: 'mfa', maxAuthAge: 60_000 }, { acr: 'mfa' })
    t.assert.equal(challenge, `${step}, acr_values="mfa", max_age="60"`)
  })

  test('the error has acrValues and maxAge', async (t) => {
    const app = Fastify()
    await app.register(jwksAuth, options)
    app.setErrorHandler((error, _request, reply) => {
      if (!(error instanceof JwksAuthError)) throw error
      const { code, acrValues, maxAge } = error
      return reply.status(error.statusCode).send({ code, acrValues, maxAge })
    })
    app.get('/', { onRequest: app.authorize({ acr: ['a', 'b'], maxAuthAge: 60_000 }) }, async () => '')
    t.assert.deepEqual((await call(app, await issuer.token(), '/')).json(), {
      code: insufficient.code,
      acrValues: 'a b',
      maxAge: 60,
    })
  })
})

suite('the order of acr and the other parts of a rule', () => {
  test('a token that lacks a scope or a claim is answered 403 without acr_values and max_age', async (t) => {
    for (const rule of [{ scope: 'read' }, { anyScope: 'read' }, { claims: { role: 'admin' } }]) {
      const { code, challenge } = await ask({ ...rule, acr: 'mfa', maxAuthAge: 60_000 }, {})
      t.assert.equal(code, 'insufficient_scope')
      t.assert.doesNotMatch(String(challenge), /acr_values|max_age/)
    }
  })

  test('check is called after acr', async (t) => {
    const asked: unknown[] = []
    const rule: AuthorizeOptions = { acr: 'mfa', check: ({ acr }) => asked.push(acr) > 1 }
    t.assert.equal((await ask(rule, { acr: 'pwd' })).code, insufficient.code)
    t.assert.deepEqual(asked, [])
    t.assert.equal((await ask(rule, { acr: 'mfa' })).code, 'insufficient_scope')
    t.assert.deepEqual(asked, ['mfa'])
  })
})

suite('an impossible rule', () => {
  for (const [title, rule, message] of [
    ['with an empty acr', { acr: '' }, /"authorize.acr" must be a non-empty string/],
    ['with an empty list in acr', { acr: [] }, /"authorize.acr" must be a list with at least one entry/],
    [
      'with a list with a number in acr',
      { acr: ['a', 1] },
      /"authorize.acr\[1\]" must be a non-empty string/,
    ],
    ['with a number in acr', { acr: 1 }, /"authorize.acr" must be a non-empty string/],
    ['with null in acr', { acr: null }, /"authorize.acr" must be a non-empty string/],
    [
      'with a quote in acr',
      { acr: 'a"b' },
      /"authorize.acr" must contain authentication contexts of printable ASCII without quotes and backslashes \(RFC 9470/,
    ],
    ['with a backslash in acr', { acr: 'a\\b' }, /"authorize.acr" must contain authentication contexts/],
    ['with a line break in acr', { acr: 'a\nb' }, /"authorize.acr" must contain authentication contexts/],
    ['with two spaces in acr', { acr: 'a  b' }, /"authorize.acr" must contain authentication contexts/],
    [
      'with a letter beyond ASCII in acr',
      { acr: 'ä' },
      /"authorize.acr" must contain authentication contexts/,
    ],
    [
      'with a maxAuthAge of 0',
      { maxAuthAge: 0 },
      /"authorize.maxAuthAge" must be a whole number of milliseconds/,
    ],
    [
      'with a fraction in maxAuthAge',
      { maxAuthAge: 1_000.5 },
      /"authorize.maxAuthAge" must be a whole number of milliseconds/,
    ],
    ['with text in maxAuthAge', { maxAuthAge: '300000' }, /"authorize.maxAuthAge" must be a whole number/],
    [
      'with an infinite maxAuthAge',
      { maxAuthAge: Infinity },
      /"authorize.maxAuthAge" must be a whole number/,
    ],
    ['with a maxAuthAge of null', { maxAuthAge: null }, /"authorize.maxAuthAge" must be a whole number/],
    [
      'with undefined acr and maxAuthAge',
      { acr: undefined, maxAuthAge: undefined },
      /"authorize" must have at least one of/,
    ],
    [
      'with max_age',
      { max_age: 300 },
      /"authorize.max_age" is unknown; known are scope, anyScope, claims, acr, maxAuthAge/,
    ],
  ] as const) {
    test(`a rule ${title} is a TypeError when the route is declared`, async (t) => {
      const app = await createApp(options)
      t.assert.throws(() => app.authorize(rule as never), { name: 'TypeError', message })
    })
  }
})

suite('isRevoked', () => {
  test('a token that isRevoked reports is refused with 401 token_revoked', async (t) => {
    const app = await createApp({ ...options, isRevoked: ({ jti }) => jti === 'gone' })
    t.assert.equal((await call(app, await issuer.token({ claims: { jti: 'here' } }))).statusCode, 200)
    t.assert.deepEqual(readAnswer(await call(app, await issuer.token({ claims: { jti: 'gone' } }))), {
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
    test(`a token is refused if isRevoked returns ${title} instead of false`, async (t) => {
      const app = await createApp({ ...options, isRevoked: () => result as never })
      t.assert.equal(readAnswer(await call(app, await issuer.token())).code, 'token_revoked')
    })
  }

  test('isRevoked is called for every request, and may be asynchronous', async (t) => {
    const asked: string[] = []
    const app = await createApp({ ...options, isRevoked: async (_claims, { url }) => asked.push(url) > 2 })
    const token = await issuer.token()
    const urls = ['/secured', '/optional', '/secured']
    const statuses = []
    for (const url of urls) statuses.push((await call(app, token, url)).statusCode)
    t.assert.deepEqual(statuses, [200, 200, 401])
    t.assert.deepEqual(asked, urls)
  })

  test('isRevoked is not called for a token that is refused before', async (t) => {
    const app = await createApp({ ...options, isRevoked: () => t.assert.fail('asked') as never })
    t.assert.equal(
      readAnswer(await call(app, await issuer.token({ claims: { exp: 1 } }))).code,
      'token_expired',
    )
  })

  for (const [title, isRevoked] of failingCallbacks) {
    test(`an error that isRevoked ${title} is passed on unchanged and without a challenge`, async (t) => {
      const app = await createApp({ ...options, isRevoked })
      const response = await call(app, await issuer.token())
      t.assert.deepEqual(readAnswer(response), {
        status: 418,
        code: undefined,
        message: 'mine',
        challenge: undefined,
      })
    })
  }
})
