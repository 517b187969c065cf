import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { Demo, noCurl, paste } from '../../helpers/demo-process.ts'
import { publicBody, securedBody } from '../../helpers/demo-words.ts'

suite('the demo without configuration', () => {
  let demo: Demo
  let api: string

  before(async () => {
    demo = new Demo()
    api = await demo.ready()
  })

  after(() => demo.stop('SIGKILL'))

  test('the lines that the demo prints get a token and call both routes', { skip: noCurl }, async (t) => {
    const [ping, refused, accepted, ...rest] = await paste(demo.lines)
    t.assert.equal(ping?.status, 200)
    t.assert.equal(ping?.body, publicBody)
    t.assert.equal(refused?.status, 401)
    t.assert.deepEqual(JSON.parse(refused?.body ?? ''), {
      code: 'authorization_header_missing',
      description: 'Authorization header is expected',
    })
    t.assert.match(
      refused?.head ?? '',
      /^www-authenticate: Bearer realm="api", resource_metadata="[^"]+"\r?$/im,
    )
    t.assert.equal(accepted?.status, 200)
    t.assert.equal(accepted?.body, securedBody)
    t.assert.deepEqual(rest, [])
  })

  test('the demo prints that the issuer is part of the demo and has new keys at each start', (t) => {
    t.assert.match(demo.stdout, /^Issuer: .* \(part of this demo, new keys at each start\)$/m)
  })

  test('the demo responds to a preflight without a token', async (t) => {
    const response = await fetch(`${api}/secured/ping`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example.com',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization,content-type',
      },
    })
    t.assert.equal(response.status, 204)
    t.assert.equal(response.headers.get('access-control-allow-origin'), '*')
    t.assert.equal(response.headers.get('access-control-allow-headers'), 'Content-Type, Authorization, DPoP')
    t.assert.equal(response.headers.get('www-authenticate'), null)
  })

  test('the demo lets a page of another origin read the challenge', async (t) => {
    const response = await fetch(`${api}/secured/ping`, { headers: { origin: 'https://app.example.com' } })
    t.assert.equal(response.status, 401)
    t.assert.equal(response.headers.get('access-control-allow-origin'), '*')
    t.assert.equal(response.headers.get('access-control-expose-headers'), 'WWW-Authenticate, DPoP-Nonce')
    const metadata = `${api}/.well-known/oauth-protected-resource`
    t.assert.equal(
      response.headers.get('www-authenticate'),
      `Bearer realm="api", resource_metadata="${metadata}", DPoP realm="api", algs="ES256", resource_metadata="${metadata}"`,
    )
  })

  test('SIGTERM ends the demo with exit code 0 while connections are open', async (t) => {
    // The requests above have left a keep-alive connection. The request of this connection never ends.
    const socket = connect(Number(new URL(api).port), '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.write('GET /ping HTTP/1.1\r\n')
    t.assert.deepEqual(await demo.stop('SIGTERM'), { code: 0, signal: null })
  })

  test('the demo has written nothing to stderr', (t) => {
    t.assert.equal(demo.stderr, '')
  })
})
