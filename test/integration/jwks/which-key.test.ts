import { before, suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { JwksOptions } from '../../../lib/index.ts'
import { call, createApp, readAnswer } from '../../helpers/app.ts'
import { createKeyPair, LocalIssuer, sign, type KeyPair } from '../../helpers/issuer.ts'
import type { PublishedKey } from '../../helpers/jwk.ts'

/** With which of an issuer's keys a token is verified, and for how long. */

let keys: KeyPair[]
let rsa: KeyPair
before(async () => {
  keys = await Promise.all(Array.from({ length: 6 }, () => createKeyPair('ES256', 'one')))
  rsa = await createKeyPair('RS256', 'rsa')
})

interface Started {
  readonly issuer: LocalIssuer
  readonly app: FastifyInstance
  /** Sends a token that a key signed. Returns 200 or the code of the refusal. */
  readonly outcome: (key: KeyPair, header?: object, claims?: object) => Promise<unknown>
}

async function start(
  t: TestContext,
  published: readonly PublishedKey[],
  options: { jwks?: JwksOptions; cache?: false } = {},
): Promise<Started> {
  const issuer = await LocalIssuer.start()
  issuer.keys = [...published]
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options })
  t.after(() => Promise.all([app.close(), issuer.close()]))
  return {
    issuer,
    app,
    async outcome(key, header = {}, claims = {}) {
      const response = await call(app, await sign(key, { ...issuer.claims(), ...claims }, header))
      return response.statusCode === 200 ? 200 : readAnswer(response).code
    },
  }
}

const noKid = { kid: undefined }

function unnamed({ jwk }: KeyPair): PublishedKey {
  const { kid: _kid, ...members } = jwk
  return members
}

suite('a token without kid', () => {
  test('a token without kid is verified with the only key for its algorithm', async (t) => {
    const { outcome } = await start(t, [keys[0]!.jwk, rsa.jwk])
    t.assert.equal(await outcome(keys[0]!, noKid), 200)
    t.assert.equal(await outcome(rsa, noKid), 200)
    t.assert.equal(await outcome(keys[1]!, noKid), 'token_invalid_signature')
  })

  test('a token without kid is refused if two keys fit its algorithm', async (t) => {
    const { outcome } = await start(t, [keys[0]!.jwk, { ...keys[1]!.jwk, kid: 'two' }, rsa.jwk])
    t.assert.equal(await outcome(keys[0]!, noKid), 'invalid_header')
    t.assert.equal(await outcome(keys[0]!), 200)
    t.assert.equal(await outcome(rsa, noKid), 200)
  })

  test('a key without kid verifies tokens without kid only', async (t) => {
    const { outcome } = await start(t, [unnamed(keys[0]!)])
    t.assert.equal(await outcome(keys[0]!, noKid), 200)
    for (const kid of ['one', '', 'undefined']) {
      t.assert.equal(await outcome(keys[0]!, { kid }), 'invalid_header')
    }
  })

  test('a key without kid and a key with kid for the same algorithm are two', async (t) => {
    const { outcome } = await start(t, [unnamed(keys[0]!), keys[1]!.jwk])
    t.assert.equal(await outcome(keys[0]!, noKid), 'invalid_header')
    t.assert.equal(await outcome(keys[1]!, noKid), 'invalid_header')
    t.assert.equal(await outcome(keys[1]!), 200)
  })

  for (const kid of [null, 1, ['one'], {}]) {
    test(`a token with the kid ${JSON.stringify(kid)} is not a token without kid`, async (t) => {
      const { outcome } = await start(t, [keys[0]!.jwk])
      t.assert.equal(await outcome(keys[0]!, { kid }), 'invalid_header')
    })
  }

  test('a cached token without kid is refused once a second key for its algorithm is known', async (t) => {
    const { issuer, app, outcome } = await start(t, [keys[0]!.jwk])
    const token = await sign(keys[0]!, issuer.claims(), noKid)
    for (let round = 0; round < 3; round += 1) t.assert.equal((await call(app, token)).statusCode, 200)
    issuer.keys = [keys[0]!.jwk, { ...keys[1]!.jwk, kid: 'two' }]
    t.assert.equal(await outcome(keys[1]!, { kid: 'two' }), 200)
    // The key itself is still good for tokens that name it.
    t.assert.equal(await outcome(keys[0]!), 200)
    t.assert.equal((await call(app, token)).statusCode, 401)
  })
})

suite('keys that share kid and algorithm', () => {
  test('a token is verified with any of the first four keys of its kid and algorithm', async (t) => {
    const { outcome } = await start(
      t,
      keys.slice(0, 5).map(({ jwk }) => jwk),
    )
    for (const key of keys.slice(0, 4)) t.assert.equal(await outcome(key), 200)
    for (const key of keys.slice(4)) t.assert.equal(await outcome(key), 'token_invalid_signature')
  })

  test('a cached token ends with the key that verified it, and not with another key of the same kid', async (t) => {
    const { issuer, app, outcome } = await start(
      t,
      keys.slice(0, 3).map(({ jwk }) => jwk),
    )
    const tokens = await Promise.all(keys.slice(0, 3).map((key) => sign(key, issuer.claims())))
    const statuses = (): Promise<number[]> =>
      Promise.all(tokens.map(async (token) => (await call(app, token)).statusCode))
    for (let round = 0; round < 3; round += 1) t.assert.deepEqual(await statuses(), [200, 200, 200])
    issuer.keys = [keys[2]!.jwk, keys[0]!.jwk, rsa.jwk]
    t.assert.equal(await outcome(rsa), 200)
    t.assert.deepEqual(await statuses(), [200, 401, 200])
  })
})

suite('a key that is replaced under its kid', () => {
  for (const cache of [undefined, false] as const) {
    test(`a replaced key works at once, and tokens of the old key end, with cache: ${cache}`, async (t) => {
      const { issuer, app, outcome } = await start(t, [keys[0]!.jwk], cache === false ? { cache } : {})
      const old = await sign(keys[0]!, issuer.claims())
      for (let round = 0; round < 3; round += 1) t.assert.equal((await call(app, old)).statusCode, 200)
      issuer.keys = [keys[1]!.jwk]
      t.assert.equal(await outcome(keys[1]!), 200)
      t.assert.equal(issuer.fetches, 2)
      t.assert.equal(readAnswer(await call(app, old)).code, 'token_invalid_signature')
    })
  }

  test('a key for another algorithm works at once under a known kid', async (t) => {
    const { issuer, outcome } = await start(t, [keys[0]!.jwk])
    t.assert.equal(await outcome(keys[0]!), 200)
    issuer.keys = [{ ...rsa.jwk, kid: 'one' }]
    t.assert.equal(await outcome(rsa, { kid: 'one' }), 200)
    t.assert.equal(await outcome(keys[0]!), 'invalid_header')
  })

  test('one hundred forged tokens with a known kid cause one fetch, and good tokens work', async (t) => {
    const { issuer, outcome } = await start(t, [keys[0]!.jwk])
    t.assert.equal(await outcome(keys[0]!), 200)
    const forged = await Promise.all(Array.from({ length: 50 }, () => outcome(keys[1]!)))
    for (let index = 0; index < 50; index += 1) forged.push(await outcome(keys[1]!))
    t.assert.deepEqual(new Set(forged), new Set(['token_invalid_signature']))
    t.assert.equal(issuer.fetches, 2)
    t.assert.equal(await outcome(keys[0]!), 200)
  })

  test('a forged token that waited for the first fetch causes no second one', async (t) => {
    const { issuer, outcome } = await start(t, [keys[0]!.jwk])
    t.assert.equal(await outcome(keys[1]!), 'token_invalid_signature')
    t.assert.equal(issuer.fetches, 1)
  })

  test('a token of a replaced key is refused for its signature while the issuer is down', async (t) => {
    const { issuer, outcome } = await start(t, [keys[0]!.jwk])
    t.assert.equal(await outcome(keys[0]!), 200)
    await issuer.close()
    t.assert.equal(await outcome(keys[1]!), 'token_invalid_signature')
    t.assert.equal(await outcome(keys[0]!), 200)
  })
})

suite('a JWK that names an issuer', () => {
  test('a key that names another issuer verifies no token, and does not count for tokens without kid', async (t) => {
    const { issuer, outcome } = await start(t, [])
    const entra = `${issuer.origin}/{tenantid}/v2.0`
    issuer.keys = [{ ...keys[0]!.jwk, issuer: entra }, keys[1]!.jwk]
    t.assert.equal(await outcome(keys[0]!), 'token_invalid_signature')
    t.assert.equal(await outcome(keys[1]!), 200)
    t.assert.equal(await outcome(keys[1]!, noKid), 200)
  })

  test('a key that names a placeholder for the tenant verifies tokens of each tenant', async (t) => {
    await using issuer = await LocalIssuer.start()
    const tenants = ['a', 'b'].map((tenant) => `${issuer.origin}/${tenant}/v2.0`)
    issuer.keys = [
      { ...keys[0]!.jwk, issuer: `${issuer.origin}/{tenantid}/v2.0` },
      { ...keys[1]!.jwk, issuer: tenants[0] },
    ]
    const app = await createApp({
      issuers: tenants.map((tenant) => ({ issuer: tenant, jwksUri: issuer.jwksUri, audience: 'api' })),
    })
    t.after(() => app.close())
    const outcome = async (key: KeyPair, iss: string | undefined): Promise<number> =>
      (await call(app, await sign(key, issuer.claims({ iss })))).statusCode
    t.assert.equal(await outcome(keys[0]!, tenants[0]), 200)
    t.assert.equal(await outcome(keys[0]!, tenants[1]), 200)
    t.assert.equal(await outcome(keys[1]!, tenants[0]), 200)
    t.assert.equal(await outcome(keys[1]!, tenants[1]), 401)
  })
})

suite('time that a machine slept', () => {
  const hours = 3_600_000

  /** Sets the wall clock ahead, or back, while the monotonic clock goes on. */
  function setWallClock(t: TestContext, ahead: number): void {
    const now = Date.now.bind(Date)
    t.mock.method(Date, 'now', () => now() + ahead)
  }

  for (const cache of [undefined, false] as const) {
    test(`a withdrawn key is refused after ten hours of sleep, with cache: ${cache}`, async (t) => {
      const { issuer, app } = await start(t, [keys[0]!.jwk], cache === false ? { cache } : {})
      const exp = Math.floor(Date.now() / 1000) + 100_000
      const token = await sign(keys[0]!, issuer.claims({ exp }))
      for (let round = 0; round < 3; round += 1) t.assert.equal((await call(app, token)).statusCode, 200)
      issuer.keys = [rsa.jwk]
      setWallClock(t, 10 * hours)
      t.assert.equal((await call(app, token)).statusCode, 401)
      t.assert.equal(issuer.fetches, 2)
    })
  }

  test('after a sleep longer than maxStale, keys of an issuer that is down are not used', async (t) => {
    const { issuer, app } = await start(t, [keys[0]!.jwk])
    const exp = Math.floor(Date.now() / 1000) + 100_000
    const token = await sign(keys[0]!, issuer.claims({ exp }))
    for (let round = 0; round < 3; round += 1) t.assert.equal((await call(app, token)).statusCode, 200)
    await issuer.close()
    setWallClock(t, 2 * hours)
    t.assert.equal((await call(app, token)).statusCode, 503)
    t.assert.equal(app.jwksStatus()[0]!.state, 'unavailable')
  })

  test('a wall clock that is set back makes keys no younger', async (t: TestContext) => {
    const refreshInterval = 50
    const { issuer, app } = await start(t, [keys[0]!.jwk], { jwks: { refreshInterval } })
    const token = await sign(keys[0]!, issuer.claims({ iat: undefined, nbf: undefined }))
    for (let round = 0; round < 3; round += 1) t.assert.equal((await call(app, token)).statusCode, 200)
    issuer.keys = [rsa.jwk]
    setWallClock(t, -10 * hours)
    const changedAt = performance.now()
    while ((await call(app, token)).statusCode === 200) t.assert.ok(performance.now() - changedAt < 5_000)
  })
})
