import { suite, test, type TestContext } from 'node:test'
import * as dpop from 'dpop'
import type { FastifyInstance } from 'fastify'
import * as oauth from 'oauth4webapi'
import type { JwksAuthOptions } from '../../../lib/index.ts'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { createApp } from '../../helpers/app.ts'
import { codeOf } from '../../helpers/dpop.ts'
import { audience, certificateHeader, startProvider } from '../../helpers/oidc-provider.ts'
import { createSelfSigned } from '../../helpers/self-signed.ts'

/** Clients and issuers that other people wrote. */

const secret = 'a secret of thirty-two bytes or more'
const insecure = { [oauth.allowInsecureRequests]: true }
const authentication = oauth.ClientSecretPost('a secret of the client')

async function listen(t: TestContext, options: object): Promise<{ app: FastifyInstance; url: string }> {
  // The server's own URL is known once it listens, and the option before that.
  const app = await createApp({ audience, ...options } as JwksAuthOptions)
  t.after(() => app.close())
  return { app, url: `${await app.listen()}/secured` }
}

/** A free port for a server whose options contain its URL. */
async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

suite('oidc-provider with DPoP and nonces, and oauth4webapi as the client', () => {
  for (const nonce of [undefined, { secret }]) {
    const what = nonce ? 'with nonces of the API' : 'without nonces of the API'
    test(`the client of oauth4webapi gets a bound token and calls the API, ${what}`, async (t) => {
      const provider = await startProvider()
      t.after(() => provider.close())
      const port = await freePort()
      const baseUrl = `http://127.0.0.1:${port}`
      const app = await createApp({
        issuer: provider.issuer,
        audience,
        dpop: { baseUrl, ...(nonce && { nonce }) },
      })
      t.after(() => app.close())
      await app.listen({ port, host: '127.0.0.1' })

      const server = await oauth
        .discoveryRequest(new URL(provider.issuer), insecure)
        .then((response) => oauth.processDiscoveryResponse(new URL(provider.issuer), response))
      const client: oauth.Client = { client_id: 'dpop' }
      const handle = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
      const request = async (): Promise<oauth.TokenEndpointResponse> =>
        oauth.processClientCredentialsResponse(
          server,
          client,
          await oauth.clientCredentialsGrantRequest(
            server,
            client,
            authentication,
            {},
            { DPoP: handle, ...insecure },
          ),
        )
      // oidc-provider requires a nonce, which the client learns from its first answer.
      const { access_token: token, token_type: type } = await request().catch((error: unknown) => {
        t.assert.equal(oauth.isDPoPNonceError(error), true)
        return request()
      })
      t.assert.equal(type, 'dpop')

      const url = new URL(`${baseUrl}/secured?a=b`)
      const call = async (): Promise<Response> =>
        oauth.protectedResourceRequest(token, 'GET', url, undefined, null, { DPoP: handle, ...insecure })
      const response = await call().catch((error: unknown) => {
        t.assert.equal(nonce !== undefined && oauth.isDPoPNonceError(error), true)
        return call()
      })
      t.assert.equal(response.status, 200)
      t.assert.equal((await call()).status, 200)

      const stolen = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
      t.assert.equal(stolen.status, 401)
      const thief = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
      const attempt = (): Promise<Response> =>
        oauth.protectedResourceRequest(token, 'GET', url, undefined, null, { DPoP: thief, ...insecure })
      const refused = await attempt().catch(async (error: unknown) =>
        oauth.isDPoPNonceError(error) ? attempt().catch((second: unknown) => second) : error,
      )
      t.assert.equal(refused instanceof oauth.WWWAuthenticateChallengeError, true)
      const { cause: challenges } = refused as oauth.WWWAuthenticateChallengeError
      const challenge = challenges.find(({ scheme }) => scheme === 'dpop')
      t.assert.equal(challenge!.parameters.error, 'invalid_token')
      t.assert.match(challenge!.parameters.algs!, /ES256/)
    })
  }
})

suite('the proofs of the package dpop', () => {
  for (const algorithm of ['ES256', 'Ed25519', 'RS256', 'PS256'] as const) {
    test(`a proof of the package dpop with ${algorithm} is accepted once`, async (t) => {
      const issuer = await createTestIssuer()
      t.after(() => issuer.close())
      const { app } = await listen(t, { ...issuer.options, dpop: { baseUrl: audience } })
      const pair = await dpop.generateKeyPair(algorithm)
      const token = issuer.token({}, { boundTo: { jkt: await dpop.calculateThumbprint(pair.publicKey) } })
      const proof = await dpop.generateProof(pair, `${audience}/secured`, 'GET', undefined, token)
      const headers = { authorization: `DPoP ${token}`, dpop: proof }
      t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 200)
      t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 'invalid_dpop_proof')
    })
  }
})

suite('oidc-provider with certificate-bound tokens', () => {
  test('a token of oidc-provider that is bound to a certificate is accepted with this certificate', async (t) => {
    const provider = await startProvider()
    t.after(() => provider.close())
    const certificate = createSelfSigned()
    const pem = encodeURIComponent(certificate.pem)
    const response = await fetch(`${provider.issuer}/token`, {
      method: 'POST',
      headers: { [certificateHeader]: pem },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: 'mtls',
        client_secret: 'a secret of the client',
      }),
    })
    const { access_token: token, token_type: type } = (await response.json()) as Record<string, string>
    t.assert.equal(type, 'Bearer')
    const { app } = await listen(t, {
      issuer: provider.issuer,
      mtls: { mode: 'required', header: 'Client-Cert' },
    })
    const call = async (sent?: string): Promise<unknown> =>
      codeOf(
        await app.inject({
          url: '/secured',
          headers: { authorization: `Bearer ${token}`, ...(sent !== undefined && { 'client-cert': sent }) },
        }),
      )
    t.assert.equal(await call(pem), 200)
    t.assert.equal(await call(`:${certificate.der.toString('base64')}:`), 200)
    t.assert.equal(await call(), 'invalid_binding')
    t.assert.equal(await call(encodeURIComponent(createSelfSigned().pem)), 'invalid_binding')
  })
})
