import { suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { authorize } from '../../lib/index.ts'
import { call } from '../helpers/app.ts'
import { createKeyPair, LocalIssuer, unsignedToken, type TokenParts } from '../helpers/issuer.ts'
import { refuse, start, type Line } from '../helpers/log-lines.ts'

/** What the developer of an application sees in the log after common mistakes. */

const warn = 40
const tenant = '8a3b1c2d-0000-4000-8000-5e6f7a8b9c0d'
const [entraV1, entraV2] = [
  `https://sts.windows.net/${tenant}/`,
  `https://login.microsoftonline.com/${tenant}/v2.0`,
] as const

/** Sends a token that the issuer has signed twice, to an application with these options. Returns the log. */
async function linesFor(t: TestContext, options: object, ...tokens: TokenParts[]): Promise<Line[]> {
  const issuer = await LocalIssuer.start()
  t.after(() => issuer.close())
  const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api', ...options })
  for (const parts of tokens) {
    const raw = await issuer.token(parts)
    await refuse(t, app, raw, raw)
  }
  return lines
}

suite('a verified token for another audience', () => {
  const rows: [aud: string | string[], audience: string | string[], differences: string][] = [
    ['https://api.example.com/', 'https://api.example.com', 'the slash at its end'],
    ['http://api.example.com', 'https://api.example.com', 'its scheme'],
    ['api://11111111-2222', '11111111-2222', 'its scheme'],
    ['Orders', 'orders', 'upper and lower case'],
    ['orders', ' orders\n', 'white space around it'],
    [['account', 'https://api.example.com/'], ['web', 'https://api.example.com'], 'the slash at its end'],
    ['https://api.example.com/v1', 'https://api.example.com/v2', 'its path'],
  ]
  for (const [aud, audience, differences] of rows) {
    test(`the aud ${JSON.stringify(aud)} instead of ${JSON.stringify(audience)} is logged once, with the difference`, async (t) => {
      const lines = await linesFor(t, { audience }, { claims: { aud } })
      t.assert.equal(lines.length, 1)
      const { level, msg, aud: received, audience: expected } = lines[0]!
      t.assert.deepEqual([level, received, expected], [warn, [aud].flat(), [audience].flat()])
      t.assert.match(msg, new RegExp(`not the configured audience; they differ in: ${differences}$`))
    })
  }

  test('an aud that is like no configured audience is logged once, beside the configured ones', async (t) => {
    const lines = await linesFor(t, {}, { claims: { aud: 'account' } }, { claims: { aud: 'other' } })
    t.assert.deepEqual(
      lines.map(({ level, aud, audience }) => [level, aud, audience]),
      [[warn, ['account'], ['api']]],
    )
    t.assert.match(lines[0]!.msg, /aud has none of the configured audiences.*request a token for this API/)
  })

  test('a token for another API does not hide that a later aud is similar', async (t) => {
    const lines = await linesFor(t, {}, { claims: { aud: 'account' } }, { claims: { aud: 'API' } })
    t.assert.match(lines[1]!.msg, /they differ in: upper and lower case/)
  })

  for (const audience of ['https://a.example,api', 'https://a.example api', 'api;b']) {
    test(`the audience ${JSON.stringify(audience)} is logged once as a list that was written as one text`, async (t) => {
      const lines = await linesFor(t, { audience }, {})
      t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
      t.assert.match(lines[0]!.msg, /one text with several audiences in it; write a list/)
    })
  }

  test('the log has at most 20 entries of an aud, 100 characters of each, and none with a control character', async (t) => {
    const aud = ['\u001B[2J', 'a'.repeat(300), ...Array.from({ length: 30 }, (_, index) => `api${index}`)]
    const [line] = await linesFor(t, {}, { claims: { aud } })
    t.assert.deepEqual(line!.aud, ['a'.repeat(100), ...aud.slice(2, 20)])
  })
})

suite('an issuer of the other version of Entra', () => {
  const token = (iss: string, header: object = {}): string =>
    unsignedToken({ alg: 'RS256', ...header }, { iss })
  for (const [title, issuer, iss] of [
    ['a token of v1.0 where v2.0 is configured', entraV2, entraV1],
    ['a token of v2.0 where v1.0 is configured', entraV1, entraV2],
  ] as const) {
    test(`${title} is logged once, with both forms of the issuer`, async (t) => {
      const { app, lines } = await start(t, { issuer, audience: 'api' })
      await refuse(t, app, token(iss), token(iss))
      t.assert.deepEqual([lines.length, lines[0]!.level, lines[0]!.iss], [1, warn, iss])
      t.assert.match(lines[0]!.msg, /sts\.windows\.net.*login\.microsoftonline.*requestedAccessTokenVersion/)
    })
  }

  test('a token of Entra is like none of the configured issuers if none of them is of Entra', async (t) => {
    const { app, lines } = await start(t, { issuer: 'https://id.example.com', audience: 'api' })
    await refuse(t, app, token(entraV1))
    t.assert.match(lines[0]!.msg, /like none of the configured issuers/)
    t.assert.equal(lines[0]!.iss, entraV1)
  })

  test('a token for Microsoft Graph is logged as such, and not as one of the other version', async (t) => {
    const { app, lines } = await start(t, { issuer: entraV2, audience: 'api' })
    await refuse(t, app, token(entraV1, { nonce: 'n' }))
    t.assert.match(lines[0]!.msg, /Microsoft Graph/)
  })
})

suite('a token that is not sent as it is', () => {
  const token = unsignedToken({ alg: 'RS256' }, { iss: 'https://id.example.com' })
  const own = { issuer: 'https://id.example.com', audience: 'api' }
  for (const quoted of [`"${token}"`, `'${token}'`, `\`${token}\``, `"${token}`, `%22${token}%22`]) {
    test(`a token in quotation marks (${quoted.slice(0, 1)}) is logged once: ${quoted.length} characters`, async (t) => {
      const { app, lines, text } = await start(t, own)
      await refuse(t, app, quoted, quoted)
      t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
      t.assert.match(lines[0]!.msg, /in quotation marks; the client must send the token alone/)
      t.assert.equal(text().includes(token), false)
    })
  }

  test('a getToken that returns the scheme with the token is logged once', async (t) => {
    const getToken = (request: { headers: Record<string, string> }): unknown => request.headers['x-token']
    const { app, lines, text } = await start(t, { ...own, getToken })
    for (const value of [`Bearer ${token}`, `bearer\t${token}`]) {
      const response = await app.inject({ url: '/secured', headers: { 'x-token': value } })
      t.assert.equal(response.statusCode, 401)
    }
    t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
    t.assert.match(lines[0]!.msg, /begins with the word "Bearer"; getToken must return the token without/)
    t.assert.equal(text().includes(token), false)
  })

  for (const damaged of [token.replace('.', '=.'), ` ${token}\n`, token.replace('.', '%2E.')]) {
    test(`a token of three parts with other characters (${JSON.stringify(/[^\w.-]/.exec(damaged)![0])}) is logged once`, async (t) => {
      const { app, lines, text } = await start(t, { ...own, getToken: () => damaged })
      await refuse(t, app, '', '')
      t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
      t.assert.match(lines[0]!.msg, /characters that are in no JWT, such as white space/)
      t.assert.equal(text().includes(token), false)
    })
  }

  test('a token with a line break at its end is logged as damaged, and not as one of another key', async (t) => {
    await using issuer = await LocalIssuer.start()
    const read = `${await issuer.token()}\n`
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api', getToken: () => read })
    await refuse(t, app, '')
    t.assert.match(lines[0]!.msg, /read from a file without trim\(\)/)
  })

  test('the value of a signed cookie is logged once', async (t) => {
    const { app, lines } = await start(t, { ...own, getToken: () => `${token}x.c2lnbmF0dXJl` })
    await refuse(t, app, '', '')
    t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
    t.assert.match(lines[0]!.msg, /signed cookie; getToken must return the unsigned value/)
  })

  test('a getToken that returns no text is logged once, with the type of its value', async (t) => {
    const { app, lines } = await start(t, { ...own, getToken: () => ({ valid: true, value: token }) })
    await refuse(t, app, token, token)
    t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
    t.assert.match(lines[0]!.msg, /getToken returned a value of type object; it must return the text/)
  })
})

suite('a preflight', () => {
  const own = { issuer: 'https://id.example.com', audience: 'api' }
  const headers = { origin: 'https://web.example', 'access-control-request-method': 'GET' }

  test('a refused preflight is logged once, with what to do', async (t) => {
    const { app, lines } = await start(t, own)
    app.options('/secured', { onRequest: app.authenticate }, async () => 'ok')
    for (const _ of [1, 2]) {
      const response = await app.inject({ method: 'OPTIONS', url: '/secured', headers })
      t.assert.equal(response.statusCode, 401)
    }
    t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
    t.assert.match(lines[0]!.msg, /preflight.*register @fastify\/cors before/)
  })

  test('a refused OPTIONS request that is no preflight, and a preflight header with another method, cause no line', async (t) => {
    const { app, lines } = await start(t, own)
    app.options('/secured', { onRequest: app.authenticate }, async () => 'ok')
    const answers = [
      await app.inject({ method: 'OPTIONS', url: '/secured' }),
      await app.inject({ method: 'GET', url: '/secured', headers }),
    ]
    t.assert.deepEqual([...answers.map(({ statusCode }) => statusCode), lines], [401, 401, []])
  })
})

suite('a time in milliseconds', () => {
  test('a token whose exp is in milliseconds is accepted, and logged once', async (t) => {
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const token = await issuer.token({ claims: { exp: Date.now() + 60_000 } })
    for (const _ of [1, 2, 3]) t.assert.equal((await call(app, token)).statusCode, 200)
    t.assert.deepEqual([lines.length, lines[0]!.level, lines[0]!.claim], [1, warn, 'exp'])
    t.assert.match(lines[0]!.msg, /has its exp in milliseconds; RFC 7519 has seconds.*does not expire/)
  })

  for (const [claim, options] of [
    ['nbf', {}],
    ['iat', { maxTokenAge: 60_000 }],
  ] as const) {
    test(`a token that is refused for an ${claim} in milliseconds is logged once, and not as a difference of clocks`, async (t) => {
      const lines = await linesFor(t, options, { claims: { [claim]: Date.now() } })
      t.assert.deepEqual([lines.length, lines[0]!.level, lines[0]!.claim], [1, warn, claim])
      t.assert.match(lines[0]!.msg, /in milliseconds/)
    })
  }
})

suite('a token that no key of the issuer verifies', () => {
  test('the first bad signature under a known kid is logged once, with the possible reasons', async (t) => {
    const other = await createKeyPair()
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const token = await issuer.token({ key: other, header: { kid: issuer.key.jwk.kid } })
    await refuse(t, app, token, token)
    t.assert.deepEqual([lines.length, lines[0]!.level, lines[0]!.issuer], [1, warn, issuer.issuer])
    t.assert.match(lines[0]!.msg, /signature was not made with the key that it names; .*replaced the key/)
  })

  test('a bad signature of a token with a nonce in its header is logged as a token for Microsoft Graph', async (t) => {
    const other = await createKeyPair()
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const header = { kid: issuer.key.jwk.kid, nonce: 'n' }
    await refuse(t, app, await issuer.token({ key: other, header }))
    t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
    t.assert.match(lines[0]!.msg, /Microsoft Graph.*request a token for this API/)
  })

  test('a bad signature with a shared secret is logged once, with the advice to decode the secret', async (t) => {
    const own = { issuer: 'https://id.example.com', audience: 'api', secret: 'x'.repeat(32) }
    const { app, lines } = await start(t, own)
    const token = unsignedToken({ alg: 'HS256' }, { iss: own.issuer }, 'AAAA')
    await refuse(t, app, token, token)
    t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
    t.assert.match(lines[0]!.msg, /not made with "secret".*decode it/)
  })

  test('an algorithm that is not allowed is logged once, with its name', async (t) => {
    const { app, lines } = await start(t, { issuer: 'https://id.example.com', audience: 'api' })
    const token = unsignedToken({ alg: 'HS256' }, { iss: 'https://id.example.com' })
    await refuse(t, app, token, token)
    t.assert.deepEqual([lines.length, lines[0]!.level, lines[0]!.alg], [1, warn, 'HS256'])
    t.assert.match(lines[0]!.msg, /algorithm that the options do not allow; HS256 needs "secret"/)
  })

  test('a kid that the issuer does not publish is logged once', async (t) => {
    const lines = await linesFor(t, {}, { header: { kid: 'other' } }, { header: { kid: 'third' } })
    t.assert.deepEqual([lines.length, lines[0]!.level, lines[0]!.kid], [1, warn, 'other'])
    t.assert.match(lines[0]!.msg, /a key which its issuer does not publish.*another environment/)
  })
})

suite('a claim that the options require', () => {
  test('each wrong claim is logged once, by its name', async (t) => {
    const claims = { tenant: 'a', token_use: 'access' }
    const lines = await linesFor(t, { claims }, { claims: { tenant: 'b' } }, { claims: { tenant: 'a' } })
    t.assert.deepEqual(
      lines.map(({ level, claim }) => [level, claim]),
      [
        [warn, 'tenant'],
        [warn, 'token_use'],
      ],
    )
  })

  const roles = { realm_access: { roles: ['admin'] } }
  for (const [title, options] of [
    ['claims', { claims: { 'realm_access.roles': 'admin' } }],
    ['requiredClaims', { requiredClaims: ['realm_access.roles'] }],
  ] as const) {
    test(`a dotted name in ${title} is logged once if a token has the nested claim, with the nested form`, async (t) => {
      const lines = await linesFor(t, options, { claims: roles })
      t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
      t.assert.match(lines[0]!.msg, /write \{ realm_access: \{ roles: … \} \} in "claims"/)
    })
  }

  test('a dotted name in a rule of authorize is logged once if a token has the nested claim', async (t) => {
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const dotted = authorize({ claims: { 'realm_access.roles': 'admin' } })
    app.get('/dotted', { onRequest: dotted }, async () => 'in')
    app.get('/nested', { onRequest: authorize({ claims: roles }) }, async () => 'in')
    app.get('/other', { onRequest: authorize({ claims: { tenant: 'a' } }) }, async () => 'in')
    const token = await issuer.token({ claims: roles })
    for (const [url, status] of [
      ['/nested', 200],
      ['/other', 403],
      ['/dotted', 403],
      ['/dotted', 403],
    ] as const) {
      t.assert.equal((await call(app, token, url)).statusCode, status)
    }
    t.assert.deepEqual(
      lines.map(({ level, claim }) => [level, claim]),
      [[warn, 'realm_access.roles']],
    )
  })

  const others: [title: string, options: object, claims: object][] = [
    ['a dotted name that the token has in no form', { claims: { 'realm_access.roles': 'admin' } }, {}],
    ['a name that is a URL', { claims: { 'https://example.com/roles': 'admin' } }, roles],
    ['a nested claim with another value', { claims: { realm_access: { roles: 'owner' } } }, roles],
    ['an inherited member', { claims: { 'realm_access.constructor': 'admin' } }, roles],
  ]
  for (const [title, options, claims] of others) {
    test(`${title} is logged as a wrong claim`, async (t) => {
      const lines = await linesFor(t, options, { claims: claims as TokenParts['claims'] & object })
      t.assert.equal(lines.length, 1)
      t.assert.match(lines[0]!.msg, /which is missing or does not have the value/)
    })
  }
})

suite('callbacks and rules that never let a request pass', () => {
  test('an isRevoked without a return statement is logged once', async (t) => {
    const lines = await linesFor(t, { isRevoked: async () => undefined }, {})
    t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
    t.assert.equal(
      lines[0]!.msg,
      'isRevoked returned a value of type undefined; only false lets a request pass',
    )
  })

  test('an isRevoked that returns true causes no line', async (t) => {
    t.assert.deepEqual(await linesFor(t, { isRevoked: () => true }, {}), [])
  })

  /** Sends a token to a route with a rule twice. Returns the log. */
  async function linesForRule(t: TestContext, rule: object, claims: object): Promise<Line[]> {
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    app.get('/', { onRequest: authorize(rule) }, async () => 'in')
    const token = await issuer.token({ claims: claims as TokenParts['claims'] & object })
    for (const _ of [1, 2]) t.assert.notEqual((await call(app, token, '/')).statusCode, 200)
    return lines
  }

  test('a check without a return statement is logged once', async (t) => {
    const lines = await linesForRule(t, { check: () => undefined }, {})
    t.assert.equal(lines.length, 1)
    t.assert.equal(lines[0]!.msg, 'check returned a value of type undefined; only true lets a request pass')
  })

  test('a rule with scopes is explained once if a token has none of the claims with scopes', async (t) => {
    for (const rule of [{ scope: 'admin' }, { anyScope: ['admin', 'owner'] }]) {
      const lines = await linesForRule(t, rule, { realm_access: { roles: ['admin'] } })
      t.assert.deepEqual([lines.length, lines[0]!.level], [1, warn])
      t.assert.match(
        lines[0]!.msg,
        /none of the claims with scopes \(scope, scp, permissions\).*require roles/,
      )
    }
  })

  test('an auth_time in milliseconds is logged once', async (t) => {
    const lines = await linesForRule(t, { maxAuthAge: 60_000 }, { auth_time: Date.now() })
    t.assert.deepEqual([lines.length, lines[0]!.claim], [1, 'auth_time'])
    t.assert.match(lines[0]!.msg, /has its auth_time in milliseconds/)
  })

  for (const [title, rule, claims] of [
    ['another scope', { scope: 'admin' }, { scope: 'read' }],
    ['another check', { check: () => false }, {}],
    ['an old auth_time', { maxAuthAge: 60_000 }, { auth_time: 1 }],
  ] as const) {
    test(`a request that is refused for ${title} causes no line`, async (t) => {
      t.assert.deepEqual(await linesForRule(t, rule, claims), [])
    })
  }
})

suite('times that are probably meant in seconds', () => {
  const own = { issuer: 'https://id.example.com', audience: 'api' }
  const rows: [option: string, options: object, value: number, ofSeconds: number][] = [
    ['clockTolerance', { ...own, clockTolerance: 999 }, 999, 999_000],
    ['maxTokenAge', { ...own, maxTokenAge: 59_999 }, 59_999, 59_999_000],
    [
      'issuers[1].clockTolerance',
      { issuers: [own, { ...own, issuer: 'b', secret: 'x'.repeat(32), clockTolerance: 5 }] },
      5,
      5_000,
    ],
    ['jwks.refreshInterval', { ...own, jwks: { refreshInterval: 300 } }, 300, 300_000],
    ['jwks.maxStale', { ...own, jwks: { maxStale: 1 } }, 1, 1_000],
    ['jwks.cooldown', { ...own, jwks: { cooldown: 10 } }, 10, 10_000],
    ['jwks.timeout', { ...own, jwks: { timeout: 99 } }, 99, 99_000],
  ]
  for (const [option, options, value, ofSeconds] of rows) {
    test(`${option}: ${value} is logged once at registration, and times are said to be milliseconds`, async (t) => {
      const { lines } = await start(t, options)
      const msg = `option "${option}" is ${value} milliseconds; times are milliseconds, so ${value} seconds are ${ofSeconds}`
      t.assert.deepEqual(lines, [{ level: warn, option, value, msg }])
    })
  }

  test('the smallest usual times, times of 0 where 0 is allowed, and the defaults cause no line', async (t) => {
    const jwks = { refreshInterval: 1_000, maxStale: 1_000, cooldown: 1_000, timeout: 100 }
    const usual = { ...own, clockTolerance: 1_000, maxTokenAge: 60_000, jwks }
    const zero = { ...own, clockTolerance: 0, jwks: { maxStale: 0, cooldown: 0 } }
    for (const options of [own, usual, zero]) t.assert.deepEqual((await start(t, options)).lines, [])
  })

  test('a short maxAuthAge is logged once, by app.authorize where the route is declared', async (t) => {
    const { app, lines } = await start(t, own)
    for (const maxAuthAge of [300, 999, 1_000]) app.authorize({ maxAuthAge })
    t.assert.deepEqual(
      lines.map(({ option, value }) => [option, value]),
      [['authorize.maxAuthAge', 300]],
    )
  })

  const ruleIn: Record<string, (app: FastifyInstance) => void> = {
    'a hook of a route': (app) =>
      app.get('/', { onRequest: authorize({ maxAuthAge: 300 }) }, async () => 'in'),
    'a hook of a scope': (app) => {
      app.addHook('onRequest', authorize({ maxAuthAge: 300 }))
      app.get('/', async () => 'in')
    },
    'a nested scope': (app) =>
      void app.register(async (nested) => {
        nested.get('/', { preHandler: [authorize({ maxAuthAge: 300 })] }, async () => 'in')
      }),
    'the config of a route': (app) =>
      app.get('/', { config: { jwksAuth: { maxAuthAge: 300 } } }, async () => 'in'),
  }
  for (const [place, declare] of Object.entries(ruleIn)) {
    test(`a short maxAuthAge in ${place} is logged once, before a request comes`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
      declare(app)
      await app.ready()
      const logged = [['authorize.maxAuthAge', 300]]
      t.assert.deepEqual(
        lines.map(({ option, value }) => [option, value]),
        logged,
      )
      const token = await issuer.token({ claims: { auth_time: Math.floor(Date.now() / 1000) - 10 } })
      const response = await call(app, token, '/')
      t.assert.equal(response.statusCode, 401)
      t.assert.match(String(response.headers['www-authenticate']), /max_age="0"/)
      t.assert.deepEqual(
        lines.map(({ option, value }) => [option, value]),
        logged,
      )
    })
  }

  test('a short maxAuthAge is logged before a request comes, if the plugin is registered after the route', async (t) => {
    const lines: Line[] = []
    const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Line) }
    const app = Fastify({ logger: { level: 'warn', stream } })
    t.after(() => app.close())
    app.get('/', { onRequest: authorize({ maxAuthAge: 300 }) }, async () => 'in')
    app.register(jwksAuth, own)
    await app.ready()
    t.assert.deepEqual(
      lines.map(({ option, value }) => [option, value]),
      [['authorize.maxAuthAge', 300]],
    )
  })

  test('a short time in the result of a function for issuers is logged once', async (t) => {
    await using issuer = await LocalIssuer.start()
    const issuers = (iss: string): object => ({ issuer: iss, audience: 'api', clockTolerance: 5 })
    const { app, lines } = await start(t, { issuers, jwks: { refreshInterval: 1_000 } })
    let time = Math.ceil(performance.now())
    t.mock.method(performance, 'now', () => time)
    for (; time < 5_000_000; time += 2_000_000) {
      t.assert.equal((await call(app, await issuer.token())).statusCode, 200)
    }
    t.assert.deepEqual(
      lines.map(({ msg }) => msg),
      [
        'option "issuers(iss).clockTolerance" is 5 milliseconds; times are milliseconds, so 5 seconds are 5000',
      ],
    )
  })
})
