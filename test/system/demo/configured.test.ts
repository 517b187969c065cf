import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { startIssuer } from '../../../demo/issuer.ts'
import type { EmbeddedIssuer } from '../../../demo/issuer.ts'
import { createCertificate, skip } from '../../helpers/certificate.ts'
import { Demo, noCurl, paste } from '../../helpers/demo-process.ts'
import { publicBody, securedBody } from '../../helpers/demo-words.ts'

async function run(t: TestContext, ...settings: ConstructorParameters<typeof Demo>) {
  const demo = new Demo(...settings)
  t.after(() => demo.stop('SIGKILL'))
  return { demo, api: await demo.ready() }
}

async function securedPing(api: string, token: string) {
  const response = await fetch(`${api}/secured/ping`, { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, body: await response.text() }
}

const welcome = { status: 200, body: securedBody }

function refusal(code: string, description: string) {
  return { status: 401, body: JSON.stringify({ code, description }) }
}

suite("the demo with the user's issuer", { concurrency: 2 }, () => {
  test('the demo accepts tokens of ISSUER for AUDIENCE', async (t) => {
    const issuer = await startIssuer()
    t.after(() => issuer.close())
    const token = await clientCredentials(issuer)
    const { demo, api } = await run(t, {}, dotenv(issuer))
    t.assert.deepEqual(await securedPing(api, token), welcome)
    t.assert.equal(demo.stderr, '')

    await t.test(
      'the printed commands work with a token in place of PASTE_YOUR_TOKEN_HERE',
      { skip: noCurl },
      async (t) => {
        const [ping, without, secured] = await paste(demo.lines.replace('PASTE_YOUR_TOKEN_HERE', token))
        t.assert.deepEqual([ping?.status, ping?.body], [200, publicBody])
        t.assert.equal(without?.status, 401)
        t.assert.deepEqual([secured?.status, secured?.body], [200, securedBody])
      },
    )
  })

  test('the demo answers 503 and prints the reason while the issuer is down', async (t) => {
    const issuer = await startIssuer()
    const token = await clientCredentials(issuer)
    await issuer.close()
    const { demo, api } = await run(t, {}, dotenv(issuer))
    const { status, body } = await securedPing(api, token)
    t.assert.equal(status, 503)
    t.assert.deepEqual(Object.keys(JSON.parse(body)), ['code', 'description'])
    t.assert.equal(JSON.parse(body).code, 'jwks_unavailable')
    await demo.stop()
    t.assert.match(demo.stderr, /^warn: .*ECONNREFUSED/m)
    t.assert.equal(demo.stderr.includes(token), false)
  })

  test('the demo accepts tokens of AUTH0_DOMAIN for API_ID', { skip }, async (t) => {
    const { ca, cert, key } = createCertificate()
    const directory = mkdtempSync(join(tmpdir(), 'demo-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const caFile = join(directory, 'ca.crt')
    writeFileSync(caFile, ca)
    const { privateKey, publicKey } = await generateKeyPair('RS256')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
    const asked: (string | undefined)[] = []
    const tenant = createServer({ key, cert }, (request, response) => {
      asked.push(request.url)
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }))
    }).listen(0, 'localhost')
    await once(tenant, 'listening')
    t.after(() => tenant.close().closeAllConnections())
    const domain = `localhost:${(tenant.address() as AddressInfo).port}`
    const sign = (audience: string[]) =>
      new SignJWT({ azp: 'client', permissions: ['read:ping'] })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'one' })
        .setIssuer(`https://${domain}/`)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(privateKey)

    const { demo, api } = await run(t, {
      AUTH0_DOMAIN: domain,
      API_ID: 'my-api',
      NODE_EXTRA_CA_CERTS: caFile,
    })
    t.assert.equal(demo.stdout.includes(`Issuer:   https://${domain}/\n`), true)
    t.assert.deepEqual(await securedPing(api, await sign(['my-api', `https://${domain}/userinfo`])), welcome)
    t.assert.deepEqual(
      await securedPing(api, await sign(['another-api'])),
      refusal('invalid_audience', 'the audience does not match. expected: my-api'),
    )
    t.assert.deepEqual(asked, ['/.well-known/jwks.json'])
    t.assert.match(demo.stderr, /^warn: a verified token was refused because its aud [^\n]*\n$/)
  })

  test('the demo accepts tokens for AUTH0_CLIENT_ID that are signed with AUTH0_CLIENT_SECRET', async (t) => {
    const secret = randomBytes(32)
    const sign = (key: Uint8Array, audience: string) =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer('https://tenant.example.com/')
        .setSubject('auth0|1')
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(key)
    const { demo, api } = await run(t, {
      AUTH0_DOMAIN: 'tenant.example.com',
      AUTH0_CLIENT_ID: 'my-client',
      AUTH0_CLIENT_SECRET: secret.toString('base64url'),
    })
    t.assert.deepEqual(await securedPing(api, await sign(secret, 'my-client')), welcome)
    t.assert.deepEqual(
      await securedPing(api, await sign(randomBytes(32), 'my-client')),
      refusal('token_invalid_signature', 'token signature is invalid'),
    )
    t.assert.deepEqual(
      await securedPing(api, await sign(secret, 'another-client')),
      refusal('invalid_audience', 'the audience does not match. expected: my-client'),
    )
    t.assert.match(demo.stdout, /HS256/)
    t.assert.match(
      demo.stderr,
      /^warn: a token came whose signature was not made [^\n]*\nwarn: a verified token was refused because its aud [^\n]*\n$/,
    )
  })
})

function dotenv({ options }: EmbeddedIssuer): string {
  return `ISSUER=${options.issuer}\nAUDIENCE=${options.audience}\n`
}

async function clientCredentials({ tokenEndpoint, clientId, clientSecret }: EmbeddedIssuer): Promise<string> {
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  const { access_token } = (await response.json()) as { access_token: string }
  return access_token
}
