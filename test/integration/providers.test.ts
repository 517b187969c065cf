import { suite, test } from 'node:test'
import { SignJWT } from 'jose'
import { startIssuer, type EmbeddedIssuer } from '../../demo/issuer.ts'
import { call, createApp, verdict } from '../helpers/app.ts'
import { Reroute } from '../helpers/dispatcher.ts'
import { createKeyPair, sendJson, LocalIssuer } from '../helpers/issuer.ts'

/** Issuers as they are found in the world, each in its own shape. */

/** The first, the middle and the last character of each segment, as another one. */
function changes(token: string): string[] {
  const ends = [...token.matchAll(/[^.]+/g)].flatMap(({ index, 0: segment }) => [
    index,
    index + (segment.length >> 1),
    index + segment.length - 1,
  ])
  return ends.map(
    (index) => token.slice(0, index) + (token[index] === 'B' ? 'C' : 'B') + token.slice(index + 1),
  )
}

async function clientCredentialsToken(provider: EmbeddedIssuer): Promise<string> {
  const response = await fetch(provider.tokenEndpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${provider.clientId}:${provider.clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  const { access_token: token } = (await response.json()) as { access_token: string }
  return token
}

suite('oidc-provider', () => {
  test('its tokens are accepted, and with any change they are not', async (t) => {
    const provider = await startIssuer()
    const app = await createApp(provider.options)
    t.after(() => Promise.all([app.close(), provider.close()]))
    const token = await clientCredentialsToken(provider)
    const accepted = await call(app, token)
    t.assert.equal(accepted.json<{ user: { client_id: string } }>().user.client_id, provider.clientId)
    for (const changed of changes(token)) t.assert.equal((await call(app, changed)).statusCode, 401)
  })

  test('its tokens are of the profile of RFC 9068', async (t) => {
    const provider = await startIssuer()
    const app = await createApp({ ...provider.options, profile: 'rfc9068' })
    t.after(() => Promise.all([app.close(), provider.close()]))
    const token = await clientCredentialsToken(provider)
    t.assert.equal((await call(app, token)).statusCode, 200)
  })
})

test('Auth0: a domain, a slash at the end, permissions and two audiences', async (t) => {
  const domain = 'tenant.eu.auth0.com'
  const key = await createKeyPair('RS256')
  await using tenant = await LocalIssuer.start({ key })
  tenant.on('/.well-known/jwks.json', sendJson({ keys: [{ ...key.jwk, x5c: ['MIIC'], x5t: 'x' }] }))
  const dispatcher = new Reroute(tenant.origin)
  const app = await createApp({ domain, audience: 'https://api.example.com', jwks: { dispatcher } })
  t.after(() => app.close())
  const claims = {
    iss: `https://${domain}/`,
    sub: 'auth0|123',
    aud: ['https://api.example.com', `https://${domain}/userinfo`],
    azp: 'client',
    scope: 'openid profile',
    permissions: ['read:ping'],
  }
  const token = await tenant.token({ claims, header: { typ: 'JWT' } })
  const accepted = await call(app, token)
  t.assert.deepEqual(accepted.json<{ user: { permissions: string[] } }>().user.permissions, ['read:ping'])
  for (const changed of changes(token)) t.assert.equal((await call(app, changed)).statusCode, 401)
  t.assert.deepEqual(dispatcher.urls, [`https://${domain}/.well-known/jwks.json`])

  const noSlash = await tenant.token({ claims: { ...claims, iss: `https://${domain}` } })
  t.assert.equal(verdict(await call(app, noSlash)).code, 'invalid_claims')
})

test('Auth0 with the client secret: HS256, the audience is the client', async (t) => {
  const secret = crypto.getRandomValues(Buffer.alloc(48))
  const app = await createApp({ domain: 'tenant.eu.auth0.com', audience: 'client', secret })
  t.after(() => app.close())
  const token = (aud: string): Promise<string> =>
    new SignJWT({ iss: 'https://tenant.eu.auth0.com/', aud })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setExpirationTime('1h')
      .sign(secret)
  t.assert.equal((await call(app, await token('client'))).statusCode, 200)
  t.assert.equal(verdict(await call(app, await token('other'))).code, 'invalid_audience')
  for (const changed of changes(await token('client'))) {
    t.assert.equal((await call(app, changed)).statusCode, 401)
  }
})

test('an OAuth 2.0 server without OpenID: RFC 8414', async (t) => {
  await using server = await LocalIssuer.start({ path: '/tenant' })
  server.on('/tenant/.well-known/openid-configuration', sendJson({}, 404))
  server.on('/.well-known/oauth-authorization-server/tenant', server.metadata)
  const app = await createApp({ issuer: server.issuer, audience: 'api' })
  t.after(() => app.close())
  t.assert.equal((await call(app, await server.token())).statusCode, 200)
})
