import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { Demo, noCurl, paste } from '../../helpers/demo-process.ts'
import { forAll, forSome } from '../../helpers/demo-words.ts'

suite('the demo without configuration', () => {
  let demo: Demo
  let api: string

  before(async () => {
    demo = new Demo()
    api = await demo.ready()
  })

  after(() => demo.stop('SIGKILL'))

  test('the printed commands get a token and call both routes', { skip: noCurl }, async (t) => {
    const [ping, refused, accepted, ...rest] = await paste(demo.lines)
    t.assert.equal(ping?.status, 200)
    t.assert.equal(ping?.body, forAll)
    t.assert.equal(refused?.status, 401)
    t.assert.deepEqual(JSON.parse(refused?.body ?? ''), {
      code: 'authorization_header_missing',
      description: 'Authorization header is expected',
    })
    t.assert.match(refused?.head ?? '', /^www-authenticate: Bearer realm="api"\r?$/im)
    t.assert.equal(accepted?.status, 200)
    t.assert.equal(accepted?.body, forSome)
    t.assert.deepEqual(rest, [])
  })

  test('the demo says that its embedded issuer is for trying only', (t) => {
    t.assert.match(demo.stdout, /^It is for trying only: /m)
  })

  test('the demo answers a preflight without a token', async (t) => {
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
    t.assert.equal(response.headers.get('access-control-allow-headers'), 'Content-Type, Authorization')
    t.assert.equal(response.headers.get('www-authenticate'), null)
  })

  test('a page of any origin can read the challenge of the demo', async (t) => {
    const response = await fetch(`${api}/secured/ping`, { headers: { origin: 'https://app.example.com' } })
    t.assert.equal(response.status, 401)
    t.assert.equal(response.headers.get('access-control-allow-origin'), '*')
    t.assert.equal(response.headers.get('access-control-expose-headers'), 'WWW-Authenticate')
    t.assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="api"')
  })

  test('the demo ends with exit code 0 after SIGTERM, although connections are open', async (t) => {
    // The requests above keep one connection alive. On this one, a request never ends.
    const socket = connect(Number(new URL(api).port), '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.write('GET /ping HTTP/1.1\r\n')
    t.assert.deepEqual(await demo.stop('SIGTERM'), { code: 0, signal: null })
  })

  test('the demo writes nothing to stderr', (t) => {
    t.assert.equal(demo.stderr, '')
  })
})
