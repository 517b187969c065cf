import { suite, test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import type { JwksAuthOptions } from '../../lib/index.ts'
import { call, createApp, verdict } from '../helpers/app.ts'
import { bare, invalidToken, refusedHeaders, refusedTokens, unreadableTokens } from '../helpers/answers.ts'
import { createKeyPair, sign, LocalIssuer, unsignedToken } from '../helpers/issuer.ts'

/** Every row of the table of answers, with the whole challenge. */

async function setUp(t: TestContext, options: Partial<JwksAuthOptions> = {}) {
  const issuer = await LocalIssuer.start()
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  return { app, issuer }
}

suite('the Authorization header', () => {
  for (const [title, authorization, code, message, challenge] of refusedHeaders) {
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
  for (const [title, token] of unreadableTokens) {
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

  for (const [title, parts, code, message, options] of refusedTokens) {
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
    const issuer = await LocalIssuer.start()
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
  await app.register((await import('../../lib/index.ts')).default, { issuer: issuer.issuer, audience: 'api' })
  const errors: Error[] = []
  app.setErrorHandler(async (error: Error) => void errors.push(error))
  app.get('/secured', { onRequest: app.authenticate }, async () => 'x')
  await app.inject('/secured')
  await app.inject('/secured')
  t.assert.equal(errors.length, 2)
  t.assert.notEqual(errors[0], errors[1])
})
