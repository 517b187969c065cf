import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { SignJWT } from 'jose'
import { entraVersions } from '../../../docs/examples/providers.ts'
import type { IssuerOptions } from '../../../lib/index.ts'
import { call, createApp, readAnswer } from '../../helpers/app.ts'
import { changedTokens } from '../../helpers/changed-tokens.ts'
import { Reroute } from '../../helpers/dispatcher.ts'
import { createKeyPair, LocalIssuer, now, sendJson, sign } from '../../helpers/issuer.ts'
import { shapes, type Shape } from './shapes.ts'

/** Issuers with the metadata, keys and tokens of real providers. */

const key = await createKeyPair('RS256')

/** Starts a server that answers as the provider, and an application with the documented options. */
async function setUp(t: TestContext, shape: Shape): Promise<{ app: FastifyInstance; urls: string[] }> {
  const { options, urls, publish = (jwk) => jwk, others = () => [] } = shape
  const server = await LocalIssuer.start({ key })
  const jwksUri = urls.at(-1)!
  const discovery = urls.length > 1 ? new URL(urls[0]!).pathname : undefined
  if (discovery !== undefined) {
    server.on(discovery, { issuer: shape.claims.iss, jwks_uri: jwksUri })
  }
  server.on(new URL(jwksUri).pathname, sendJson({ keys: [publish(key.jwk), ...others(key.jwk)] }))
  const dispatcher = new Reroute(server.origin)
  const app = await createApp({ ...options, jwks: { dispatcher } })
  t.after(async () => {
    await app.close()
    await server.close()
  })
  return { app, urls: dispatcher.urls }
}

const tokenOf = (shape: Shape, claims: Record<string, unknown> = {}): Promise<string> =>
  sign(key, { iat: now(), exp: now() + 600, ...shape.claims, ...claims }, shape.header)

for (const [name, shape] of Object.entries(shapes)) {
  suite(name, () => {
    test(`${name}: a right token is accepted, with keys from the URLs of the provider`, async (t) => {
      const { app, urls } = await setUp(t, shape)
      const token = await tokenOf(shape)
      const accepted = await call(app, token)
      t.assert.equal(accepted.json<{ user: { sub: string } }>().user.sub, shape.claims.sub)
      t.assert.deepEqual(urls, shape.urls)
      for (const changed of changedTokens(token)) t.assert.equal((await call(app, changed)).statusCode, 401)
    })

    for (const [title, [code, claims]] of Object.entries(shape.wrong)) {
      test(`${name}: ${title} is refused`, async (t) => {
        const { app } = await setUp(t, shape)
        t.assert.equal(readAnswer(await call(app, await tokenOf(shape, claims))).code, code)
      })
    }
  })
}

test('Google: an opaque access token is refused', async (t) => {
  const { app, urls } = await setUp(t, shapes['Google, ID tokens']!)
  t.assert.equal(readAnswer(await call(app, 'ya29.a0AfExample')).code, 'invalid_header')
  t.assert.deepEqual(urls, [])
})

test('Auth0: tokens with HS256 and the client secret are accepted for the client', async (t) => {
  const secret = crypto.getRandomValues(Buffer.alloc(48))
  const app = await createApp({ domain: 'tenant.eu.auth0.com', audience: 'client', secret })
  t.after(() => app.close())
  const token = (aud: string): Promise<string> =>
    new SignJWT({ iss: 'https://tenant.eu.auth0.com/', aud })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setExpirationTime('1h')
      .sign(secret)
  t.assert.equal((await call(app, await token('client'))).statusCode, 200)
  t.assert.equal(readAnswer(await call(app, await token('other'))).code, 'invalid_audience')
  for (const changed of changedTokens(await token('client'))) {
    t.assert.equal((await call(app, changed)).statusCode, 401)
  }
})

test('an OAuth 2.0 server without OpenID Connect is found by the metadata of RFC 8414', async (t) => {
  await using server = await LocalIssuer.start({ path: '/tenant' })
  server.on('/tenant/.well-known/openid-configuration', sendJson({}, 404))
  server.on('/.well-known/oauth-authorization-server/tenant', server.metadata)
  const app = await createApp({ issuer: server.issuer, audience: 'api' })
  t.after(() => app.close())
  t.assert.equal((await call(app, await server.token())).statusCode, 200)
})

test('Entra: tokens of v1.0 and v2.0 are accepted together, each with its own rules', async (t) => {
  const server = await LocalIssuer.start({ key })
  const [v2, v1] = entraVersions as [IssuerOptions & { issuer: string }, IssuerOptions & { issuer: string }]
  const tenant = new URL(v1.issuer).pathname
  server.on(`${tenant}v2.0/.well-known/openid-configuration`, {
    issuer: v2.issuer,
    jwks_uri: `https://login.microsoftonline.com${tenant}discovery/v2.0/keys`,
  })
  server.on(`${tenant}.well-known/openid-configuration`, {
    issuer: v1.issuer,
    jwks_uri: 'https://login.microsoftonline.com/common/discovery/keys',
  })
  server.on(`${tenant}discovery/v2.0/keys`, { keys: [{ ...key.jwk, issuer: v2.issuer }] })
  server.on('/common/discovery/keys', { keys: [key.jwk] })
  const app = await createApp({ issuers: entraVersions, jwks: { dispatcher: new Reroute(server.origin) } })
  t.after(() => Promise.all([app.close(), server.close()]))
  const send = async (claims: Record<string, unknown>): Promise<unknown> => {
    const answer = await call(app, await sign(key, { sub: 's', iat: now(), exp: now() + 600, ...claims }))
    return answer.json<{ code?: string }>().code
  }
  const api = v2.audience as string
  t.assert.equal(await send({ iss: v2.issuer, aud: api, azp: 'web', ver: '2.0' }), undefined)
  t.assert.equal(await send({ iss: v1.issuer, aud: `api://${api}`, appid: 'web', ver: '1.0' }), undefined)
  t.assert.equal(await send({ iss: v2.issuer, aud: `api://${api}`, azp: 'web' }), 'invalid_audience')
  t.assert.equal(
    await send({ iss: v1.issuer, aud: 'https://graph.microsoft.com', appid: 'web' }),
    'invalid_audience',
  )
  t.assert.equal(await send({ iss: v1.issuer, aud: api }), 'invalid_claims')
  t.assert.equal(
    await send({ iss: 'https://sts.windows.net/other/', aud: api, appid: 'web' }),
    'invalid_claims',
  )
})
