import { connect } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import { suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import jwksAuth, { authenticate, type JwksAuthOptions } from '../../../lib/index.ts'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { client } from '../../helpers/dpop.ts'

/** A proof is for the request as the client sent it: its method and its URL. */

const issuer = await createTestIssuer()
test.after(() => issuer.close())
const token = issuer.token({}, { boundTo: client })

async function listen(
  t: TestContext,
  { baseUrl = 'https://api.example.com', ...options }: FastifyServerOptions & { baseUrl?: string } = {},
): Promise<{ app: FastifyInstance; origin: string }> {
  const app = Fastify({ ...options, forceCloseConnections: true } as FastifyServerOptions) as FastifyInstance
  t.after(() => app.close())
  await app.register(jwksAuth, { ...issuer.options, dpop: { baseUrl } } as JwksAuthOptions)
  app.all('/secured', { onRequest: authenticate }, async (request) => ({ url: request.url }))
  app.all('/secured/*', { onRequest: authenticate }, async (request) => ({ url: request.url }))
  return { app, origin: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

/** The status of the answer to a request with a proof for a method and a URL. */
async function send(
  { origin, path = '/secured', method = 'GET' }: { origin: string; path?: string; method?: string },
  proof: { method?: string; url?: string } = {},
): Promise<number> {
  const url = proof.url ?? 'https://api.example.com/secured'
  const headers = client.headers({ method: proof.method ?? method, url, token })
  const response = await fetch(origin + path, { method, headers })
  await response.arrayBuffer()
  return response.status
}

suite('the method and the URL of a request', () => {
  test('a proof for another method is refused', async (t) => {
    const { origin } = await listen(t)
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
      t.assert.equal(await send({ origin, method }), 200)
      const other = method === 'GET' ? 'POST' : 'GET'
      t.assert.equal(await send({ origin, method }, { method: other }), 401)
    }
  })

  test('a HEAD request to a GET route needs a proof for HEAD', async (t) => {
    const { app, origin } = await listen(t)
    void app
    t.assert.equal(await send({ origin, method: 'HEAD' }, { method: 'HEAD' }), 200)
    t.assert.equal(await send({ origin, method: 'HEAD' }, { method: 'GET' }), 401)
  })

  test('a proof for another URL is refused, and the query is of no importance', async (t) => {
    const { origin } = await listen(t)
    t.assert.equal(await send({ origin, path: '/secured?a=b' }), 200)
    t.assert.equal(await send({ origin, path: '/secured/other' }), 401)
    t.assert.equal(await send({ origin }, { url: 'https://api.example.com/secured/other' }), 401)
    t.assert.equal(await send({ origin }, { url: 'https://elsewhere.example/secured' }), 401)
  })

  test('the Host header is of no importance', async (t) => {
    const { app, origin } = await listen(t)
    t.assert.equal(await send({ origin }, { url: `${origin}/secured` }), 401)
    const url = 'https://elsewhere.example/secured'
    const headers = {
      host: 'elsewhere.example',
      'x-forwarded-host': 'elsewhere.example',
      ...client.headers({ url, token }),
    }
    t.assert.equal((await app.inject({ url: '/secured', headers })).statusCode, 401)
  })

  test('the path prefix that a gateway strips is in the proof', async (t) => {
    const { origin } = await listen(t, { baseUrl: 'https://api.example.com/v1/' })
    t.assert.equal(await send({ origin }, { url: 'https://api.example.com/v1/secured' }), 200)
    t.assert.equal(await send({ origin }), 401)
  })

  test('where rewriteUrl changes the URL, the proof is for the URL that the client sent', async (t) => {
    const rewriteUrl = ({ url }: { url?: string | undefined }): string => url!.replace('/public', '/secured')
    const { origin } = await listen(t, { rewriteUrl })
    const sent = 'https://api.example.com/public'
    t.assert.equal(await send({ origin, path: '/public' }, { url: sent }), 200)
    t.assert.equal(await send({ origin, path: '/public' }), 401)
  })

  test('where rewriteUrl moves a request to a secured route, a proof for that route does not fit', async (t) => {
    const { origin } = await listen(t, { rewriteUrl: () => '/secured' })
    t.assert.equal(await send({ origin, path: '/anything' }), 401)
  })

  test('a request line with a whole URI needs a proof for its path on this server', async (t) => {
    const { origin } = await listen(t)
    const { authorization, dpop } = client.headers({ url: 'https://api.example.com/secured', token })
    const { hostname, port } = new URL(origin)
    const sendLine = async (proof: string): Promise<string> => {
      const socket = connectTcp(Number(port), hostname)
      const lines = [
        'GET http://elsewhere.example/secured HTTP/1.1',
        'Host: elsewhere.example',
        'Connection: close',
        `Authorization: ${authorization}`,
        `DPoP: ${proof}`,
      ]
      socket.write(`${lines.join('\r\n')}\r\n\r\n`)
      return (await text(socket)).slice(9, 12)
    }
    t.assert.equal(await sendLine(dpop), '200')
    t.assert.equal(await sendLine(client.proof({ url: 'http://elsewhere.example/secured', token })), '401')
  })

  test('two DPoP headers are refused, even if both are the same good proof', async (t) => {
    const { origin } = await listen(t)
    const url = 'https://api.example.com/secured'
    const { hostname, port } = new URL(origin)
    const sendTwo = async (...proofs: string[]): Promise<string> => {
      const socket = connectTcp(Number(port), hostname)
      const lines = ['GET /secured HTTP/1.1', 'Host: a', 'Connection: close', `Authorization: DPoP ${token}`]
      socket.write(`${[...lines, ...proofs.map((proof) => `DPoP: ${proof}`)].join('\r\n')}\r\n\r\n`)
      return (await text(socket)).slice(9, 12)
    }
    const proof = client.proof({ url, token })
    t.assert.equal(await sendTwo(proof, proof), '401')
    t.assert.equal(await sendTwo(proof, ''), '401')
    t.assert.equal(await sendTwo('', proof), '401')
    t.assert.equal(await sendTwo(client.proof({ url, token }), proof), '401')
    t.assert.equal(await sendTwo(proof), '200')
  })
})

test('over HTTP/2 proofs are checked as over HTTP/1.1', async (t) => {
  const options = { http2: true } as FastifyServerOptions
  const { origin } = await listen(t, options)
  const session = connect(origin)
  t.after(() => session.close())
  const url = 'https://api.example.com/secured'
  const call = (headers: object): Promise<number> =>
    new Promise((resolve, reject) => {
      session
        .request({ ':path': '/secured?a', authorization: `DPoP ${token}`, ...headers })
        .on('response', (answer) => resolve(answer[':status']!))
        .on('error', reject)
        .resume()
        .end()
    })
  const proof = client.proof({ url, token })
  t.assert.equal(await call({ dpop: [proof, proof] }), 401)
  t.assert.equal(await call({ dpop: proof }), 200)
  t.assert.equal(await call({ dpop: proof }), 401)
  t.assert.equal(await call({ dpop: client.proof({ url, token }), authorization: `Bearer ${token}` }), 401)
  t.assert.equal(await call({ dpop: client.proof({ url: `${url}s`, token }) }), 401)
  t.assert.equal(await call({ ':method': 'HEAD', dpop: client.proof({ url, token }) }), 401)
  t.assert.equal(await call({ ':method': 'HEAD', dpop: client.proof({ method: 'HEAD', url, token }) }), 200)
})
