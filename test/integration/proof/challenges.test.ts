import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { JwksAuthOptions } from '../../../lib/index.ts'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { createApp } from '../../helpers/app.ts'
import { baseUrl, client, url } from '../../helpers/dpop.ts'

/** The challenges where tokens may be bound (RFC 9449 sections 7.1 and 7.2). */

const issuer = await createTestIssuer()
test.after(() => issuer.close())
const bound = issuer.token({}, { boundTo: client })
const unbound = issuer.token()
const algs = 'algs="ES256 EdDSA"'
const bearer = 'Bearer realm="api"'
const dpop = 'DPoP realm="api"'

async function appWith(t: TestContext, options: object): Promise<FastifyInstance> {
  const app = await createApp({ ...issuer.options, ...options } as JwksAuthOptions)
  t.after(() => app.close())
  app.get('/scoped', { onRequest: app.authorize({ scope: 'read' }) }, async () => 'in')
  app.get('/step-up', { onRequest: app.authorize({ acr: 'mfa' }) }, async () => 'in')
  return app
}

async function challengesOf(app: FastifyInstance, headers: object, path = '/secured'): Promise<unknown> {
  const response = await app.inject({ url: path, headers: headers as Record<string, string> })
  return response.headers['www-authenticate']
}

const settings = { baseUrl, algorithms: ['ES256', 'Ed25519'] }
const allowed = { dpop: settings }
const required = { dpop: { ...settings, mode: 'required' } }

suite('the challenges with dpop allowed', () => {
  const rows: [what: string, headers: () => object, challenges: string[]][] = [
    ['no token', () => ({}), [bearer, `${dpop}, ${algs}`]],
    ['another scheme', () => ({ authorization: 'Basic YTpi' }), [bearer, `${dpop}, ${algs}`]],
    [
      'a bound token as a bearer token',
      () => ({ authorization: `Bearer ${bound}` }),
      [`${bearer}, error="invalid_token"`, `${dpop}, ${algs}`],
    ],
    [
      'an unbound token with the DPoP scheme',
      () => ({ authorization: `DPoP ${unbound}` }),
      [bearer, `${dpop}, error="invalid_token", ${algs}`],
    ],
    [
      'a token that is no JWT with the DPoP scheme',
      () => ({ authorization: 'dpop x' }),
      [bearer, `${dpop}, error="invalid_token", ${algs}`],
    ],
    [
      'the DPoP scheme alone',
      () => ({ authorization: 'DPoP' }),
      [bearer, `${dpop}, error="invalid_request", ${algs}`],
    ],
    [
      'the DPoP scheme with two words',
      () => ({ authorization: 'DPoP a b' }),
      [bearer, `${dpop}, error="invalid_request", ${algs}`],
    ],
    [
      'a wrong proof',
      () => client.headers({ url, token: bound }, { forged: true }),
      [bearer, `${dpop}, error="invalid_dpop_proof", ${algs}`],
    ],
  ]
  for (const [what, headers, challenges] of rows) {
    test(`the answer to ${what} has two challenges`, async (t) => {
      t.assert.deepEqual(await challengesOf(await appWith(t, allowed), headers()), challenges)
    })
  }

  test('over HTTP the challenges are two values of the header', async (t) => {
    const app = await appWith(t, allowed)
    const response = await fetch(`${await app.listen()}/secured`)
    t.assert.equal(response.headers.get('www-authenticate'), `${bearer}, ${dpop}, ${algs}`)
  })

  test('the scopes are in both challenges, and the error in that of the scheme', async (t) => {
    const app = await appWith(t, allowed)
    const scope = 'scope="read"'
    const headers = client.headers({ url: `${baseUrl}/scoped`, token: bound })
    t.assert.deepEqual(await challengesOf(app, headers, '/scoped'), [
      `${bearer}, ${scope}`,
      `${dpop}, error="insufficient_scope", ${scope}, ${algs}`,
    ])
    t.assert.deepEqual(await challengesOf(app, {}, '/scoped'), [
      `${bearer}, ${scope}`,
      `${dpop}, ${scope}, ${algs}`,
    ])
    t.assert.deepEqual(await challengesOf(app, { authorization: `Bearer ${unbound}` }, '/step-up'), [
      `${bearer}, error="insufficient_user_authentication", acr_values="mfa"`,
      `${dpop}, ${algs}`,
    ])
  })

  test('both challenges name the metadata of the resource', async (t) => {
    const resource = 'https://api.example.com/notes'
    const app = await appWith(t, { resource, dpop: { algorithms: ['ES256'] } })
    const metadata = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/notes"'
    t.assert.deepEqual(await challengesOf(app, {}), [
      `${bearer}, ${metadata}`,
      `${dpop}, algs="ES256", ${metadata}`,
    ])
  })

  test('an earlier challenge of another scheme stays, and a second refusal adds none', async (t) => {
    const app = await appWith(t, allowed)
    app.get(
      '/both',
      {
        onRequest: [
          async (_request, reply) =>
            void reply.header('www-authenticate', ['Basic realm="a"', 'DPoP realm="b"']),
          async (request, reply) => {
            await app.authenticate(request, reply).catch(() => {})
            await app.authenticate(request, reply)
          },
        ],
      },
      async () => 'in',
    )
    t.assert.deepEqual(await challengesOf(app, {}, '/both'), ['Basic realm="a"', bearer, `${dpop}, ${algs}`])
  })

  test('an answer that is no refusal has no challenge', async (t) => {
    const app = await appWith(t, allowed)
    t.assert.equal(await challengesOf(app, client.headers({ url, token: bound })), undefined)
  })
})

suite('the challenges with dpop required', () => {
  test('there is the DPoP challenge only, also for a bearer token', async (t) => {
    const app = await appWith(t, required)
    t.assert.deepEqual(await challengesOf(app, {}), `${dpop}, ${algs}`)
    const invalid = `${dpop}, error="invalid_token", ${algs}`
    for (const authorization of [`Bearer ${bound}`, `Bearer ${unbound}`, `DPoP ${unbound}`]) {
      t.assert.equal(await challengesOf(app, { authorization }), invalid)
    }
    const headers = { authorization: `DPoP ${bound}` }
    t.assert.equal(await challengesOf(app, headers), `${dpop}, error="invalid_dpop_proof", ${algs}`)
  })

  test('with mtls allowed there is the DPoP challenge only, with mtls required there are both', async (t) => {
    t.assert.equal(
      await challengesOf(await appWith(t, { ...required, mtls: 'allowed' }), {}),
      `${dpop}, ${algs}`,
    )
    t.assert.deepEqual(await challengesOf(await appWith(t, { ...required, mtls: 'required' }), {}), [
      bearer,
      `${dpop}, ${algs}`,
    ])
  })
})

for (const options of [{}, { dpop: 'unchecked' }, { mtls: 'required' }]) {
  test(`with ${JSON.stringify(options)} there is the Bearer challenge only`, async (t) => {
    t.assert.equal(await challengesOf(await appWith(t, options), {}), bearer)
    t.assert.match(
      String(await challengesOf(await appWith(t, options), { authorization: 'DPoP x' })),
      /^Bearer [^D]*$/,
    )
  })
}

suite('with getToken the DPoP header says which challenge has the error', () => {
  const getToken = ({ headers }: { headers: { token?: string } }): string | undefined => headers.token
  const rows: [what: string, headers: () => object, challenges: string[]][] = [
    ['no token', () => ({}), [bearer, `${dpop}, ${algs}`]],
    [
      'a bound token without a proof',
      () => ({ token: bound }),
      [`${bearer}, error="invalid_token"`, `${dpop}, ${algs}`],
    ],
    [
      'a bound token with the proof of another request',
      () => ({ token: bound, dpop: client.proof({ url: baseUrl, token: bound }) }),
      [bearer, `${dpop}, error="invalid_dpop_proof", ${algs}`],
    ],
  ]
  for (const [what, headers, challenges] of rows) {
    test(`the answer to ${what} of getToken has two challenges`, async (t) => {
      t.assert.deepEqual(
        await challengesOf(await appWith(t, { ...allowed, getToken }), headers()),
        challenges,
      )
    })
  }
})

suite('the metadata of the resource', () => {
  const resource = 'https://api.example.com/notes'
  const rows: [what: string, options: object, metadata: object][] = [
    ['neither option', {}, {}],
    ['dpop allowed', { dpop: { algorithms: ['ES256'] } }, { dpop_signing_alg_values_supported: ['ES256'] }],
    [
      'dpop required',
      { dpop: { mode: 'required', algorithms: ['ES256'] } },
      { dpop_signing_alg_values_supported: ['ES256'], dpop_bound_access_tokens_required: true },
    ],
    ['mtls allowed', { mtls: 'allowed' }, { tls_client_certificate_bound_access_tokens: true }],
    [
      'both required',
      { dpop: { mode: 'required', algorithms: ['ES256'] }, mtls: 'required' },
      { dpop_signing_alg_values_supported: ['ES256'], tls_client_certificate_bound_access_tokens: true },
    ],
    ['both unchecked', { dpop: 'unchecked', mtls: 'unchecked' }, {}],
  ]
  for (const [what, options, metadata] of rows) {
    test(`the metadata says what is true with ${what}`, async (t) => {
      const app = await appWith(t, { resource, ...options })
      const {
        authorization_servers: _servers,
        bearer_methods_supported: _methods,
        ...rest
      } = app.protectedResourceMetadata()
      t.assert.deepEqual(rest, { resource, ...metadata })
    })
  }

  test('the default of dpop.baseUrl is the origin of the resource', async (t) => {
    const app = await appWith(t, { resource, dpop: 'required' })
    const headers = client.headers({ url, token: bound })
    t.assert.equal((await app.inject({ url: '/secured', headers })).statusCode, 200)
  })
})
