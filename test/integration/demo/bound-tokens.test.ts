import { after, before, suite, test } from 'node:test'
import * as dpop from 'dpop'
import { decodeJwt } from 'jose'
import { build } from '../../../demo/server.ts'
import { start, type Running } from '../../../demo/start.ts'

suite('bound tokens of the demo', () => {
  let demo: Running
  let pair: dpop.KeyPair
  let token: string

  before(async () => {
    demo = await start({ port: 0, pagePort: 0, issuerPort: 0 })
    pair = await dpop.generateKeyPair('ES256')
    token = await getBoundToken()
  })
  after(() => demo.close())

  async function getBoundToken(): Promise<string> {
    if (!('tokenEndpoint' in demo.issuer)) throw new Error('the issuer is not the embedded one')
    const { tokenEndpoint, clientId, clientSecret } = demo.issuer
    const response = await fetch(tokenEndpoint, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}`,
        dpop: await dpop.generateProof(pair, tokenEndpoint, 'POST'),
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read:ping' }),
    })
    return ((await response.json()) as { access_token: string }).access_token
  }

  async function call(authorization: string, proof?: string): Promise<[status: number, code?: string]> {
    const response = await fetch(`${demo.api}/secured/ping`, {
      headers: { authorization, ...(proof !== undefined && { dpop: proof }) },
    })
    if (response.ok) return [response.status]
    return [response.status, ((await response.json()) as { code: string }).code]
  }

  function proofFor(url: string, key = pair): Promise<string> {
    return dpop.generateProof(key, url, 'GET', undefined, token)
  }

  test('the embedded issuer binds a token to the key of a proof', async (t) => {
    const jkt = await dpop.calculateThumbprint(pair.publicKey)
    t.assert.deepEqual(decodeJwt(token).cnf, { jkt })
  })

  for (const host of ['127.0.0.1', 'localhost']) {
    test(`the demo accepts a bound token with a proof for ${host} and its real port, once`, async (t) => {
      const proof = await proofFor(`${demo.api.replace('127.0.0.1', host)}/secured/ping`)
      t.assert.deepEqual(await call(`DPoP ${token}`, proof), [200])
      t.assert.deepEqual(await call(`DPoP ${token}`, proof), [401, 'invalid_dpop_proof'])
    })
  }

  test('the demo refuses a bound token without a proof, or with the proof of another key or URL', async (t) => {
    const url = `${demo.api}/secured/ping`
    t.assert.deepEqual(await call(`Bearer ${token}`), [401, 'invalid_binding'])
    t.assert.deepEqual(await call(`DPoP ${token}`), [401, 'invalid_dpop_proof'])
    const other = await proofFor(url, await dpop.generateKeyPair('ES256'))
    t.assert.deepEqual(await call(`DPoP ${token}`, other), [401, 'invalid_binding'])
    const elsewhere = await proofFor('http://127.0.0.1:1/secured/ping')
    t.assert.deepEqual(await call(`DPoP ${token}`, elsewhere), [401, 'invalid_dpop_proof'])
  })

  test('CORS of the demo allows the header of a proof and exposes nonces', async (t) => {
    const app = await build({ domain: 'tenant.example.com', audience: 'my-api' })
    t.after(() => app.close())
    const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'GET' }
    const preflight = await app.inject({ method: 'OPTIONS', url: '/secured/ping', headers })
    t.assert.equal(preflight.headers['access-control-allow-headers'], 'Content-Type, Authorization, DPoP')
    const answer = await app.inject({ url: '/ping', headers })
    t.assert.equal(answer.headers['access-control-expose-headers'], 'WWW-Authenticate, DPoP-Nonce')
  })

  test('with a configured issuer the demo accepts no proofs', async (t) => {
    const issuer = { issuer: 'https://id.example.com', audience: 'my-api' }
    const other = await start({ port: 0, issuer })
    t.after(() => other.close())
    const { headers } = await fetch(`${other.api}/secured/ping`)
    t.assert.doesNotMatch(headers.get('www-authenticate') ?? '', /DPoP/)
  })
})
