import { suite, test } from 'node:test'
import Fastify from 'fastify'
import jwksAuth, { JwksAuthError, type AuthorizeOptions } from '../../lib/index.ts'
import { call, createApp, verdict } from '../helpers/app.ts'
import { now, LocalIssuer } from '../helpers/issuer.ts'

/** RFC 9470, OAuth 2.0 Step Up Authentication Challenge Protocol. */

const issuer = await LocalIssuer.start()
const options = { issuer: issuer.issuer, audience: 'api' }
test.after(() => issuer.close())

async function judged(
  rule: AuthorizeOptions,
  claims: Record<string, unknown>,
): Promise<ReturnType<typeof verdict>> {
  const app = await createApp(options)
  app.get('/', { onRequest: app.authorize(rule) }, async (request) => ({ code: request.user.sub }))
  return verdict(await call(app, await issuer.token({ claims }), '/'))
}

const step = 'Bearer realm="api", error="insufficient_user_authentication"'
const refused = {
  status: 401,
  code: 'insufficient_user_authentication',
  message: 'the authentication of the user does not suffice for this request',
}

suite('acr', () => {
  const rows: [title: string, acr: string | string[], claim: unknown, passes: boolean][] = [
    ['the one that is demanded', 'mfa', 'mfa', true],
    ['one of several', ['phr', 'phrh'], 'phrh', true],
    ['one of several, written as one string', 'phr phrh', 'phrh', true],
    ['another one', 'mfa', 'pwd', false],
    ['none', 'mfa', undefined, false],
    ['a part of it', 'mfa', 'mf', false],
    ['with more behind it', 'mfa', 'mfa2', false],
    ['two in one string', 'mfa', 'mfa pwd', false],
    ['in another case', 'mfa', 'MFA', false],
    ['a list that holds it', 'mfa', ['mfa'], false],
    ['a number that reads like it', '1', 1, false],
    ['null', 'null', null, false],
  ]
  for (const [title, acr, claim, passes] of rows) {
    test(`${title}: ${passes ? 'permitted' : 'refused'}`, async (t) => {
      t.assert.equal((await judged({ acr }, { acr: claim })).status, passes ? 200 : 401)
    })
  }
})

suite('maxAuthAge', () => {
  const rows: [title: string, claim: unknown, passes: boolean][] = [
    ['just now', now(), true],
    ['a minute ago', now() - 60, true],
    ['a fraction of a second ago', now() - 0.5, true],
    ['by a clock that is ahead', now() + 4, true],
    ['two minutes ago', now() - 120, false],
    ['never', undefined, false],
    ['in text', `${now()}`, false],
    ['null', null, false],
    ['in milliseconds', Date.now(), false],
    ['in 1970', 0, false],
    ['true', true, false],
  ]
  for (const [title, claim, passes] of rows) {
    test(`an authentication ${title}: ${passes ? 'permitted' : 'refused'}`, async (t) => {
      const { status } = await judged({ maxAuthAge: 100_000 }, { auth_time: claim })
      t.assert.equal(status, passes ? 200 : 401)
    })
  }

  test('ends while the token lives, also for a token that is remembered', async (t) => {
    const app = await createApp({ ...options, clockTolerance: 0 })
    app.get('/', { onRequest: app.authorize({ maxAuthAge: 60_000 }) }, async () => ({}))
    const token = await issuer.token({ claims: { auth_time: now() - 50 } })
    for (const _ of [1, 2, 3]) t.assert.equal((await call(app, token, '/')).statusCode, 200)
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 20_000 })
    t.assert.equal(verdict(await call(app, token, '/')).code, refused.code)
  })
})

suite('the challenge (section 3)', () => {
  for (const [title, rule, demands] of [
    ['of acr', { acr: 'mfa' }, 'acr_values="mfa"'],
    ['of several, in the order of the rule, each once', { acr: ['c b', 'a', 'c'] }, 'acr_values="c b a"'],
    ['of maxAuthAge', { maxAuthAge: 300_000 }, 'max_age="300"'],
    ['of a fraction of a second, rounded down', { maxAuthAge: 1_999 }, 'max_age="1"'],
    ['of both', { acr: 'a b', maxAuthAge: 300_000 }, 'acr_values="a b", max_age="300"'],
    ['beside scopes that the token has', { scope: 'read', acr: 'mfa' }, 'acr_values="mfa"'],
  ] as const) {
    test(title, async (t) => {
      t.assert.deepEqual(await judged(rule, { scope: 'read' }), {
        ...refused,
        challenge: `${step}, ${demands}`,
      })
    })
  }

  test('names both demands where one is not met', async (t) => {
    const { challenge } = await judged({ acr: 'mfa', maxAuthAge: 60_000 }, { acr: 'mfa' })
    t.assert.equal(challenge, `${step}, acr_values="mfa", max_age="60"`)
  })

  test('is in the error as well', async (t) => {
    const app = Fastify()
    await app.register(jwksAuth, options)
    app.setErrorHandler((error, _request, reply) => {
      if (!(error instanceof JwksAuthError)) throw error
      const { code, acrValues, maxAge } = error
      return reply.status(error.statusCode).send({ code, acrValues, maxAge })
    })
    app.get('/', { onRequest: app.authorize({ acr: ['a', 'b'], maxAuthAge: 60_000 }) }, async () => '')
    t.assert.deepEqual((await call(app, await issuer.token(), '/')).json(), {
      code: refused.code,
      acrValues: 'a b',
      maxAge: 60,
    })
  })
})

suite('the order', () => {
  test('a token that lacks a scope or a claim is answered 403, since stepping up would not help', async (t) => {
    for (const rule of [{ scope: 'read' }, { anyScope: 'read' }, { claims: { role: 'admin' } }]) {
      const { code, challenge } = await judged({ ...rule, acr: 'mfa', maxAuthAge: 60_000 }, {})
      t.assert.equal(code, 'insufficient_scope')
      t.assert.doesNotMatch(String(challenge), /acr_values|max_age/)
    }
  })

  test('check is asked of a user who authenticated well enough', async (t) => {
    const asked: unknown[] = []
    const rule: AuthorizeOptions = { acr: 'mfa', check: ({ acr }) => asked.push(acr) > 1 }
    t.assert.equal((await judged(rule, { acr: 'pwd' })).code, refused.code)
    t.assert.deepEqual(asked, [])
    t.assert.equal((await judged(rule, { acr: 'mfa' })).code, 'insufficient_scope')
    t.assert.deepEqual(asked, ['mfa'])
  })
})

suite('a rule that nobody could satisfy or that says nothing is a TypeError', () => {
  for (const [title, rule, message] of [
    ['an empty acr', { acr: '' }, /"authorize.acr" must be a non-empty string/],
    ['an empty list', { acr: [] }, /"authorize.acr" must be a list with at least one entry/],
    ['a list with a number', { acr: ['a', 1] }, /"authorize.acr\[1\]" must be a non-empty string/],
    ['a number', { acr: 1 }, /"authorize.acr" must be a non-empty string/],
    ['null', { acr: null }, /"authorize.acr" must be a non-empty string/],
    [
      'a quote',
      { acr: 'a"b' },
      /"authorize.acr" must hold authentication contexts of printable ASCII without quotes and backslashes \(RFC 9470/,
    ],
    ['a backslash', { acr: 'a\\b' }, /"authorize.acr" must hold authentication contexts/],
    ['a line break', { acr: 'a\nb' }, /"authorize.acr" must hold authentication contexts/],
    ['two spaces', { acr: 'a  b' }, /"authorize.acr" must hold authentication contexts/],
    ['a letter beyond ASCII', { acr: 'ä' }, /"authorize.acr" must hold authentication contexts/],
    [
      'seconds',
      { maxAuthAge: 300 },
      /"authorize.maxAuthAge" must be a whole number of milliseconds, at least 1000/,
    ],
    ['no time', { maxAuthAge: 0 }, /"authorize.maxAuthAge" must be a whole number of milliseconds/],
    ['a fraction', { maxAuthAge: 1_000.5 }, /"authorize.maxAuthAge" must be a whole number of milliseconds/],
    ['a time in text', { maxAuthAge: '300000' }, /"authorize.maxAuthAge" must be a whole number/],
    ['no end', { maxAuthAge: Infinity }, /"authorize.maxAuthAge" must be a whole number/],
    ['a time of null', { maxAuthAge: null }, /"authorize.maxAuthAge" must be a whole number/],
    ['an unset one', { acr: undefined, maxAuthAge: undefined }, /"authorize" must hold at least one of/],
    [
      'max_age',
      { max_age: 300 },
      /"authorize.max_age" is unknown; known are scope, anyScope, claims, acr, maxAuthAge/,
    ],
  ] as const) {
    test(title, async (t) => {
      const app = await createApp(options)
      t.assert.throws(() => app.authorize(rule as never), { name: 'TypeError', message })
    })
  }
})
