import { suite, test } from 'node:test'
import { createDPoPClient, createTestIssuer } from '../../../lib/testing/index.ts'
import { readAnswer } from '../../helpers/app.ts'
import { baseUrl, callWithProof, client, codeOf, createDPoPApp, url } from '../../helpers/dpop.ts'

/** A proof is accepted once (RFC 9449 section 11.1). */

const issuer = await createTestIssuer()
test.after(() => issuer.close())
const token = issuer.token({}, { boundTo: client })

suite('used proofs', () => {
  test('a proof is accepted once, also if it comes a hundred times at once', async (t) => {
    const app = await createDPoPApp(issuer)
    const headers = client.headers({ url, token })
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => app.inject({ url: '/secured', headers })),
    )
    const codes = answers.map(codeOf)
    t.assert.equal(codes.filter((code) => code === 200).length, 1)
    t.assert.equal(codes.filter((code) => code === 'invalid_dpop_proof').length, 99)
  })

  test('another proof with the jti of a used one is refused', async (t) => {
    const app = await createDPoPApp(issuer)
    t.assert.equal(codeOf(await callWithProof(app, token, { claims: { jti: 'a' } })), 200)
    t.assert.equal(
      codeOf(await callWithProof(app, token, { claims: { jti: 'a', iat: Date.now() / 1000 - 3 } })),
      'invalid_dpop_proof',
    )
    t.assert.equal(codeOf(await callWithProof(app, token, { claims: { jti: 'b' } })), 200)
  })

  test('two clients may choose the same jti', async (t) => {
    const app = await createDPoPApp(issuer)
    const neighbour = createDPoPClient()
    const headers = neighbour.headers(
      { url, token: issuer.token({}, { boundTo: neighbour }) },
      { claims: { jti: 'a' } },
    )
    const own = {
      ...headers,
      ...neighbour.headers({ url, token: headers.authorization.slice(5) }, { claims: { jti: 'a' } }),
    }
    t.assert.equal(codeOf(await callWithProof(app, token, { claims: { jti: 'a' } })), 200)
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers: own })), 200)
  })

  test('a proof that is refused for another reason is not used up', async (t) => {
    const app = await createDPoPApp(issuer)
    const headers = client.headers({ url, token })
    for (const wrong of [{ url: '/optional' }, { url: '/secured', method: 'HEAD' as const }]) {
      t.assert.equal((await app.inject({ ...wrong, headers })).statusCode, 401)
    }
    const other = issuer.token({}, { boundTo: client })
    const stolen = { ...headers, authorization: `DPoP ${other}` }
    t.assert.equal((await app.inject({ url: '/secured', headers: stolen })).statusCode, 401)
    t.assert.equal((await app.inject({ url: '/secured', headers })).statusCode, 200)
  })

  test('a second hook of the same plugin does not check the proof again', async (t) => {
    const app = await createDPoPApp(issuer)
    app.get(
      '/twice',
      { onRequest: [app.authenticate, app.authorize({ claims: { sub: 'someone' } })] },
      async () => 'in',
    )
    const headers = client.headers({ url: `${baseUrl}/twice`, token })
    t.assert.equal(codeOf(await app.inject({ url: '/twice', headers })), 200)
  })

  test('a proof that expires while the store is asked is refused', async (t) => {
    const now = Date.now()
    t.mock.timers.enable({ apis: ['Date'], now })
    const add = async (): Promise<boolean> => {
      t.mock.timers.setTime(now + 66_000)
      return true
    }
    const app = await createDPoPApp(issuer, { baseUrl, replay: { add } })
    t.assert.equal(codeOf(await callWithProof(app, token)), 'invalid_dpop_proof')
  })

  test('a request that two strategies of @fastify/auth check uses its proof once', async (t) => {
    const app = await createDPoPApp(issuer, { baseUrl }, { isRevoked: () => true })
    const firstCodes: unknown[] = []
    app.get(
      '/either',
      {
        onRequest: async (request, reply) => {
          await app
            .authenticate(request, reply)
            .catch((error: { code: string }) => firstCodes.push(error.code))
          await app.authenticate(request, reply)
        },
      },
      async () => 'in',
    )
    const headers = client.headers({ url: `${baseUrl}/either`, token })
    t.assert.equal(codeOf(await app.inject({ url: '/either', headers })), 'token_revoked')
    t.assert.equal(codeOf(await app.inject({ url: '/either', headers })), 'invalid_dpop_proof')
    t.assert.deepEqual(firstCodes, ['token_revoked', 'invalid_dpop_proof'])
  })

  test('a proof is refused after it expired, when the store has forgotten it', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const app = await createDPoPApp(issuer)
    const headers = client.headers({ url, token })
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 200)
    t.mock.timers.tick(66_000)
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 'invalid_dpop_proof')
  })
})

suite('the store of used proofs', () => {
  test('a store of the application gets an id of the key and the jti, and the time until the proof expires', async (t) => {
    const now = 1_800_000_000
    t.mock.timers.enable({ apis: ['Date'], now: now * 1000 })
    const calls: [id: string, ttl: number][] = []
    const replay = { add: (id: string, ttl: number): boolean => calls.push([id, ttl]) > 0 }
    const app = await createDPoPApp(
      issuer,
      { baseUrl, replay, proofMaxAge: 30_000 },
      { clockTolerance: 2_000 },
    )
    const bound = issuer.token({}, { boundTo: client })
    for (const claims of [{ jti: 'é' }, { jti: 'é', iat: now - 10.0005 }, { jti: 'ê' }]) {
      t.assert.equal(codeOf(await callWithProof(app, bound, { claims })), 200)
    }
    const [first, second, third] = calls as [[string, number], [string, number], [string, number]]
    t.assert.match(first[0], new RegExp(`^${client.jkt}\\.[\\w-]{43}$`))
    t.assert.equal(second[0], first[0])
    t.assert.notEqual(third[0], first[0])
    t.assert.deepEqual(
      calls.map(([, ttl]) => ttl),
      [32_000, 22_000, 32_000],
    )
  })

  for (const [what, add, code] of [
    ['says that an id is new', () => true, 200],
    ['resolves to true', async () => true, 200],
    ['says that an id is not new', () => false, 'invalid_dpop_proof'],
    ['resolves to false', async () => false, 'invalid_dpop_proof'],
    ['returns nothing', () => undefined, 'replay_store_unavailable'],
    ['returns a number', () => 1, 'replay_store_unavailable'],
    ['rejects', async () => Promise.reject(new Error('no connection')), 'replay_store_unavailable'],
  ] as const) {
    test(`the answer is ${code} if the store ${what}`, async (t) => {
      const app = await createDPoPApp(issuer, { baseUrl, replay: { add: add as () => boolean } })
      t.assert.equal(codeOf(await callWithProof(app, token)), code)
    })
  }

  test('a store that does not answer makes the answer 503 after jwks.timeout', async (t) => {
    const replay = { add: () => new Promise<boolean>(() => {}) }
    // Its keys need no fetch, which would have to be as fast.
    const offline = await createTestIssuer({ algorithm: 'HS256' })
    await offline.close()
    const app = await createDPoPApp(offline, { baseUrl, replay }, { jwks: { timeout: 20 } })
    const response = await callWithProof(app, offline.token({}, { boundTo: client }))
    t.assert.deepEqual(readAnswer(response), {
      status: 503,
      code: 'replay_store_unavailable',
      message: "used proofs can't be looked up, please try again later",
      challenge: undefined,
    })
    t.assert.equal(response.headers['retry-after'], '1')
  })

  test('a full store refuses new proofs of one client, accepts those of others, and forgets none', async (t) => {
    const app = await createDPoPApp(issuer, { baseUrl, maxProofs: 8 })
    const headers = client.headers({ url, token })
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 200)
    t.assert.equal(codeOf(await callWithProof(app, token)), 200)
    t.assert.equal(codeOf(await callWithProof(app, token)), 'replay_store_unavailable')
    const neighbour = createDPoPClient()
    const other = neighbour.headers({ url, token: issuer.token({}, { boundTo: neighbour }) })
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers: other })), 200)
    t.assert.equal(codeOf(await app.inject({ url: '/secured', headers })), 'invalid_dpop_proof')
  })
})
