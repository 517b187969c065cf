import { mock, suite, test, type TestContext } from 'node:test'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { createTestIssuer } from '../../../lib/testing/index.ts'
import { readAnswer } from '../../helpers/app.ts'
import { baseUrl, callWithProof, client, codeOf, createDPoPApp, url } from '../../helpers/dpop.ts'

/** Nonces of the server (RFC 9449 sections 8 and 9). */

mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 })
const issuer = await createTestIssuer()
test.after(() => issuer.close())
const tokenOf = (): string => issuer.token({}, { boundTo: client })
const secret = 'a secret of thirty-two bytes or more'
const lifetime = 300_000

async function appWith(t: TestContext, options: object = {}): Promise<FastifyInstance> {
  const app = await createDPoPApp(issuer, { baseUrl, algorithms: ['ES256'], nonce: { secret } }, options)
  t.after(() => app.close())
  return app
}

const nonceOf = ({ headers }: LightMyRequestResponse): string => headers['dpop-nonce'] as string
const freshNonce = async (app: FastifyInstance): Promise<string> =>
  nonceOf(await callWithProof(app, tokenOf()))

suite('nonces', () => {
  test('a proof without a nonce is answered with one, which then works', async (t) => {
    const app = await appWith(t)
    const response = await callWithProof(app, tokenOf())
    t.assert.deepEqual(readAnswer(response), {
      status: 401,
      code: 'use_dpop_nonce',
      message: 'the DPoP proof needs the nonce of this answer',
      challenge: ['Bearer realm="api"', 'DPoP realm="api", error="use_dpop_nonce", algs="ES256"'],
    })
    t.assert.equal(response.headers['cache-control'], 'no-store')
    const accepted = await callWithProof(app, tokenOf(), { nonce: nonceOf(response) })
    t.assert.equal(accepted.statusCode, 200)
    t.assert.equal(nonceOf(accepted), undefined)
    t.assert.equal(accepted.headers['cache-control'], undefined)
  })

  for (const nonce of ['x', 'x.y', '']) {
    test(`the nonce "${nonce}" is not accepted`, async (t) => {
      const response = await callWithProof(await appWith(t), tokenOf(), { claims: { nonce } })
      t.assert.equal(codeOf(response), 'use_dpop_nonce')
      t.assert.notEqual(nonceOf(response), undefined)
    })
  }

  test('a nonce that is no text is not accepted', async (t) => {
    const app = await appWith(t)
    const nonce = await freshNonce(app)
    t.assert.equal(
      codeOf(await callWithProof(app, tokenOf(), { claims: { nonce: [nonce] } })),
      'use_dpop_nonce',
    )
  })

  test('a nonce is accepted for its lifetime and one more, and its successor comes after half of the first', async (t) => {
    const app = await appWith(t)
    const nonce = await freshNonce(app)
    const call = async (): Promise<LightMyRequestResponse> => callWithProof(app, tokenOf(), { nonce })
    mock.timers.tick(lifetime / 2)
    t.assert.equal(nonceOf(await call()), undefined)
    mock.timers.tick(1)
    const aging = await call()
    t.assert.equal(aging.statusCode, 200)
    t.assert.equal(aging.headers['cache-control'], 'no-store')
    t.assert.equal(codeOf(await callWithProof(app, tokenOf(), { nonce: nonceOf(aging) })), 200)
    mock.timers.tick(1.5 * lifetime - 2)
    t.assert.equal(codeOf(await call()), 200)
    mock.timers.tick(1)
    t.assert.equal(codeOf(await call()), 'use_dpop_nonce')
    t.assert.equal(codeOf(await callWithProof(app, tokenOf(), { nonce: nonceOf(aging) })), 200)
  })

  test('processes with one secret accept the nonces of each other', async (t) => {
    const nonce = await freshNonce(await appWith(t))
    t.assert.equal(codeOf(await callWithProof(await appWith(t), tokenOf(), { nonce })), 200)
    const other = { baseUrl, nonce: { secret: Buffer.alloc(32) } }
    t.assert.equal(
      codeOf(await callWithProof(await createDPoPApp(issuer, other), tokenOf(), { nonce })),
      'use_dpop_nonce',
    )
  })

  test('every 401 to the DPoP scheme carries a nonce, and no other answer does', async (t) => {
    const app = await appWith(t, { isRevoked: ({ sub }: { sub: string }) => sub === 'revoked' })
    app.get('/step-up', { onRequest: app.authorize({ acr: 'mfa' }) }, async () => 'in')
    app.get('/scoped', { onRequest: app.authorize({ scope: 'read' }) }, async () => 'in')
    const nonce = await freshNonce(app)
    const revoked = issuer.token({ sub: 'revoked' }, { boundTo: client })
    const headersFor = (token: string, path = '/secured'): object =>
      client.headers({ url: baseUrl + path, token, nonce })
    const rows: [what: string, headers: object, path: string, status: number, hasNonce: boolean][] = [
      [
        'an expired token',
        headersFor(issuer.token({}, { boundTo: client, expiresIn: -10_000 })),
        '/secured',
        401,
        true,
      ],
      ['no JWT', { authorization: 'DPoP x' }, '/secured', 401, true],
      ['no token', { authorization: 'DPoP' }, '/secured', 401, true],
      ['a wrong proof', { ...headersFor(tokenOf()), dpop: 'x' }, '/secured', 401, true],
      ['an unbound token', headersFor(issuer.token()), '/secured', 401, true],
      ['a revoked token', headersFor(revoked), '/secured', 401, true],
      ['a user who has to authenticate again', headersFor(tokenOf(), '/step-up'), '/step-up', 401, true],
      ['a missing scope', headersFor(tokenOf(), '/scoped'), '/scoped', 403, false],
      ['no header', {}, '/secured', 401, false],
      ['a bearer token', { authorization: `Bearer ${tokenOf()}` }, '/secured', 401, false],
      ['an unbound bearer token', { authorization: `Bearer ${issuer.token()}` }, '/secured', 200, false],
    ]
    for (const [what, headers, path, status, hasNonce] of rows) {
      const response = await app.inject({ url: path, headers: headers as Record<string, string> })
      t.assert.equal(response.statusCode, status, what)
      t.assert.equal(nonceOf(response) !== undefined, hasNonce, what)
      t.assert.equal(response.headers['cache-control'], hasNonce ? 'no-store' : undefined, what)
    }
  })

  test('the application may set its own cache-control, before the hook or after it', async (t) => {
    const app = await appWith(t)
    app.get(
      '/before',
      {
        onRequest: [
          async (_request, reply) => void reply.header('cache-control', 'private'),
          app.authenticate,
        ],
      },
      async () => 'in',
    )
    app.get('/after', { onRequest: app.authenticate }, async (_request, reply) => {
      reply.header('cache-control', 'private')
      return 'in'
    })
    const nonce = await freshNonce(app)
    mock.timers.tick(lifetime / 2 + 1)
    for (const path of ['/before', '/after']) {
      const headers = client.headers({ url: baseUrl + path, token: tokenOf(), nonce })
      const response = await app.inject({ url: path, headers })
      t.assert.equal(response.statusCode, 200)
      t.assert.notEqual(nonceOf(response), undefined)
      t.assert.equal(response.headers['cache-control'], 'private')
    }
  })

  test('a proof is not used up if its nonce is not accepted', async (t) => {
    const app = await appWith(t)
    const first = await callWithProof(app, tokenOf(), { claims: { jti: 'one' } })
    const second = await callWithProof(app, tokenOf(), { claims: { jti: 'one' }, nonce: nonceOf(first) })
    t.assert.equal(second.statusCode, 200)
  })

  test('a proof that is wrong in another way is not answered with use_dpop_nonce', async (t) => {
    const app = await appWith(t)
    t.assert.equal(codeOf(await callWithProof(app, tokenOf(), { forged: true })), 'invalid_dpop_proof')
    t.assert.equal(
      codeOf(await callWithProof(app, tokenOf(), { claims: { htu: url.slice(1) } })),
      'invalid_dpop_proof',
    )
  })

  test('without the option a nonce in a proof is of no importance', async (t) => {
    const app = await createDPoPApp(issuer)
    const response = await callWithProof(app, tokenOf(), { nonce: 'x' })
    t.assert.equal(response.statusCode, 200)
    t.assert.equal(nonceOf(response), undefined)
  })
})
