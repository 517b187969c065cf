import { suite, test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import type { JwksAuthOptions } from '../lib/index.ts'
import { call, createApp, verdict } from './helpers/app.ts'
import { createKeyPair, now, sign, TestIssuer, unsignedToken, type TokenParts } from './helpers/issuer.ts'

/** Every row of the table of answers, with the whole challenge. */

const bare = 'Bearer realm="api"'
const invalidRequest = 'Bearer realm="api", error="invalid_request"'
const invalidToken = 'Bearer realm="api", error="invalid_token"'
const claimsMessage = 'incorrect claims, please check the audience and issuer'

async function setUp(t: TestContext, options: Partial<JwksAuthOptions> = {}) {
  const issuer = await TestIssuer.start()
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  return { app, issuer }
}

suite('the Authorization header', () => {
  const rows: [
    title: string,
    header: string | undefined,
    code: string,
    message: string,
    challenge: string,
  ][] = [
    ['none', undefined, 'authorization_header_missing', 'Authorization header is expected', bare],
    ['an empty one', '', 'authorization_header_missing', 'Authorization header is expected', bare],
    ['another scheme', 'Basic YTpi', 'invalid_header', 'Authorization header must start with Bearer', bare],
    ['a longer scheme', 'Bearers x', 'invalid_header', 'Authorization header must start with Bearer', bare],
    ['a token alone', 'a.b.c', 'invalid_header', 'Authorization header must start with Bearer', bare],
    ['Bearer alone', 'Bearer', 'invalid_header', 'Token not found', invalidRequest],
    ['Bearer and a space', 'Bearer ', 'invalid_header', 'Token not found', invalidRequest],
    [
      'three parts',
      'Bearer a b',
      'invalid_header',
      'Authorization header must be Bearer token',
      invalidRequest,
    ],
    [
      'two in one',
      'Bearer a, Basic b',
      'invalid_header',
      'Authorization header must be Bearer token',
      invalidRequest,
    ],
  ]
  for (const [title, authorization, code, message, challenge] of rows) {
    test(`${title} is answered 401 ${code}`, async (t) => {
      const { app } = await setUp(t)
      const headers = authorization === undefined ? {} : { authorization }
      const response = await app.inject({ url: '/secured', headers })
      t.assert.deepEqual(verdict(response), { status: 401, code, message, challenge })
    })
  }

  for (const spelling of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    test(`the scheme is taken as ${spelling}, with any white space around the token`, async (t) => {
      const { app, issuer } = await setUp(t)
      const authorization = `${spelling} \t ${await issuer.token()} `
      const response = await app.inject({ url: '/secured', headers: { authorization } })
      t.assert.equal(response.statusCode, 200)
    })
  }
})

suite('the token', () => {
  const unreadable = {
    status: 401,
    code: 'invalid_header',
    message: 'Unable to parse authentication token.',
    challenge: invalidToken,
  }
  const object = Buffer.from('{}').toString('base64url')
  const badUtf8 = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')
  const rows: [title: string, token: string][] = [
    ['an opaque token', 'opaque'],
    ['two segments', 'a.b'],
    ['four segments', `${object}.${object}.x.y`],
    ['an encrypted JWT of five segments', `${object}.x.y.z.w`],
    ['empty segments', '..'],
    ['a header that is not JSON', `bm90.${object}.x`],
    ['a payload that is not JSON', `${object}.bm90.x`],
    ['a header that is an array', `W10.${object}.x`],
    ['a payload that is an array', `${object}.W10.x`],
    ['a payload that is null', `${object}.bnVsbA.x`],
    ['padding', `e30=.${object}.x`],
    ['foreign characters', `e3!0.${object}.x`],
    ['base64 instead of base64url', `eyJhIjoiw7/Du34ifQ==.${object}.x`],
    ['loose bits in the last character', `e31.${object}.x`],
    ['a payload that is not UTF-8', `${object}.${badUtf8}.x`],
    ['a header that is not UTF-8', `${badUtf8}.${object}.x`],
    ['a known kind of crit', unsignedToken({ alg: 'RS256', crit: ['b64'], b64: false }, {}, 'x')],
    ['an unknown crit', unsignedToken({ alg: 'RS256', crit: ['x'], x: 1 }, {}, 'x')],
    ['a crit of null', unsignedToken({ alg: 'RS256', crit: null }, {}, 'x')],
    ['ten thousand dots', '.'.repeat(10_000)],
  ]
  for (const [title, token] of rows) {
    test(`${title} is not a readable token`, async (t) => {
      const { app } = await setUp(t)
      t.assert.deepEqual(verdict(await call(app, token)), unreadable)
    })
  }

  test('a crit header is refused before anything else of the token is looked at', async (t) => {
    const { app, issuer } = await setUp(t)
    const token = unsignedToken({ alg: 'RS256', kid: 'x', crit: ['exp'], exp: 1 }, { iss: issuer.issuer })
    t.assert.deepEqual(verdict(await call(app, token)), unreadable)
    t.assert.deepEqual(issuer.requests, [])
  })

  const refused: [
    title: string,
    parts: TokenParts,
    code: string,
    message: string,
    options?: Partial<JwksAuthOptions>,
  ][] = [
    ['of another issuer', { claims: { iss: 'https://other.example/' } }, 'invalid_claims', claimsMessage],
    ['without iss', { claims: { iss: undefined } }, 'invalid_claims', claimsMessage],
    ['without kid', { header: { kid: undefined } }, 'invalid_header', 'Unable to find appropriate key'],
    [
      'with a kid that is a number',
      { header: { kid: 1 } },
      'invalid_header',
      'Unable to find appropriate key',
    ],
    ['with an unknown kid', { header: { kid: 'x' } }, 'invalid_header', 'Unable to find appropriate key'],
    [
      'with a kid that is no text',
      { header: { kid: '\ud800' } },
      'invalid_header',
      'Unable to find appropriate key',
    ],
    [
      'with an algorithm that is not allowed',
      {},
      'invalid_algorithm',
      'the signing algorithm is not allowed',
      { algorithms: ['RS256'] },
    ],
    ['without exp', { claims: { exp: undefined } }, 'invalid_claims', claimsMessage],
    ['without aud', { claims: { aud: undefined } }, 'invalid_claims', claimsMessage],
    ['of another kind', { header: { typ: 'logout+jwt' } }, 'invalid_claims', claimsMessage],
    ['that has expired', { claims: { exp: now() - 10 } }, 'token_expired', 'token is expired'],
    [
      'that is too old',
      { claims: { iat: now() - 100 } },
      'token_expired',
      'token is expired',
      { maxTokenAge: 60_000 },
    ],
    [
      'that is not active yet',
      { claims: { nbf: now() + 60 } },
      'token_not_active',
      'token is not active yet',
    ],
    [
      'for another audience',
      { claims: { aud: 'other' } },
      'invalid_audience',
      'the audience does not match. expected: api',
    ],
    [
      'for none of several audiences',
      {},
      'invalid_audience',
      'the audience does not match. expected: a, b',
      { audience: ['a', 'b'] },
    ],
    [
      'with another value of a claim',
      {},
      'invalid_claims',
      claimsMessage,
      { claims: { token_use: 'access' } },
    ],
  ]
  for (const [title, parts, code, message, options] of refused) {
    test(`a token ${title} is answered 401 ${code}`, async (t) => {
      const { app, issuer } = await setUp(t, options)
      const response = await call(app, await issuer.token(parts))
      t.assert.deepEqual(verdict(response), { status: 401, code, message, challenge: invalidToken })
    })
  }

  test('a token with the signature of another key is answered 401 token_invalid_signature', async (t) => {
    const { app, issuer } = await setUp(t)
    const stranger = await createKeyPair('ES256', issuer.key.jwk.kid)
    t.assert.deepEqual(verdict(await call(app, await sign(stranger, issuer.claims()))), {
      status: 401,
      code: 'token_invalid_signature',
      message: 'token signature is invalid',
      challenge: invalidToken,
    })
  })

  test('an issuer that cannot be reached is answered 503 with Retry-After and without a challenge', async (t) => {
    const { app, issuer } = await setUp(t)
    issuer.on('/jwks', (_request, response) => response.destroy())
    const response = await call(app, await issuer.token())
    t.assert.deepEqual(verdict(response), {
      status: 503,
      code: 'jwks_unavailable',
      message: 'the keys of the issuer are unavailable, please try again later',
      challenge: undefined,
    })
    t.assert.equal(response.headers['retry-after'], '1')
  })
})

suite('authorize', () => {
  for (const [title, rule, status, code, message, challenge] of [
    [
      'a scope that the token lacks',
      { scope: 'a b' },
      403,
      'insufficient_scope',
      'the access token does not permit this request',
      'Bearer realm="api", error="insufficient_scope", scope="a b"',
    ],
    [
      'a rule without scopes that it does not satisfy',
      { claims: { role: 'admin' } },
      403,
      'insufficient_scope',
      'the access token does not permit this request',
      'Bearer realm="api", error="insufficient_scope"',
    ],
    [
      'an authentication of another kind, or one that is longer ago',
      { acr: 'a b', maxAuthAge: 300_000 },
      401,
      'insufficient_user_authentication',
      'the authentication of the user does not suffice for this request',
      'Bearer realm="api", error="insufficient_user_authentication", acr_values="a b", max_age="300"',
    ],
  ] as const) {
    test(`${title} is answered ${status} ${code}`, async (t) => {
      const { app, issuer } = await setUp(t)
      app.get('/rule', { onRequest: app.authorize(rule) }, async () => 'x')
      const response = await call(app, await issuer.token(), '/rule')
      t.assert.deepEqual(verdict(response), { status, code, message, challenge })
    })
  }
})

suite('the challenge', () => {
  test('names the realm of the options as a quoted string', async (t) => {
    const { app } = await setUp(t, { realm: 'my "best" \\ api' })
    const response = await app.inject('/secured')
    t.assert.equal(response.headers['www-authenticate'], 'Bearer realm="my \\"best\\" \\\\ api"')
  })

  test('is kept by an application’s own error handler', async (t) => {
    const { app } = await setUp(t)
    await app.register(async (scope) => {
      scope.setErrorHandler((error: Error & { statusCode: number }, _request, reply) =>
        reply.status(error.statusCode).send({ sorry: true }),
      )
      scope.get('/sorry', { onRequest: app.authenticate }, async () => 'x')
    })
    const response = await app.inject('/sorry')
    t.assert.equal(response.headers['www-authenticate'], bare)
    t.assert.deepEqual(response.json(), { sorry: true })
  })

  test('stands beside that of another scheme as a header of its own', async (t) => {
    const issuer = await TestIssuer.start()
    const app = await createApp({ issuer: issuer.issuer, audience: 'api' })
    t.after(() => Promise.all([app.close(), issuer.close()]))
    app.get(
      '/both',
      {
        onRequest: [
          async (_request, reply) => void reply.header('www-authenticate', 'Basic realm="a"'),
          app.authenticate,
        ],
      },
      async () => 'x',
    )
    const origin = await app.listen()
    const response = await fetch(`${origin}/both`)
    t.assert.equal(response.headers.get('www-authenticate'), 'Basic realm="a", Bearer realm="api"')
    const injected = await app.inject('/both')
    t.assert.deepEqual(injected.headers['www-authenticate'], ['Basic realm="a"', 'Bearer realm="api"'])
  })

  test('stands once, however often the hook refuses a request', async (t) => {
    const { app } = await setUp(t)
    app.get(
      '/twice',
      {
        onRequest: async (request, reply) => {
          await app.authenticate(request, reply).catch(() => {})
          await app.authenticate(request, reply)
        },
      },
      async () => 'x',
    )
    const response = await app.inject('/twice')
    t.assert.equal(response.headers['www-authenticate'], bare)
  })

  test('is not set where the token is good', async (t) => {
    const { app, issuer } = await setUp(t)
    const response = await call(app, await issuer.token())
    t.assert.equal(response.headers['www-authenticate'], undefined)
  })
})

test('every refusal is an error of its own', async (t) => {
  const app = Fastify()
  const { issuer } = await setUp(t)
  await app.register((await import('../lib/index.ts')).default, { issuer: issuer.issuer, audience: 'api' })
  const errors: Error[] = []
  app.setErrorHandler(async (error: Error) => void errors.push(error))
  app.get('/secured', { onRequest: app.authenticate }, async () => 'x')
  await app.inject('/secured')
  await app.inject('/secured')
  t.assert.equal(errors.length, 2)
  t.assert.notEqual(errors[0], errors[1])
})
