import { suite, test, type TestContext } from 'node:test'
import { SignJWT } from 'jose'
import { diagnostics, type JwksAuthOptions } from '../../lib/index.ts'
import { call, createApp } from '../helpers/app.ts'
import { eventsOf } from '../helpers/events.ts'
import { createKeyPair, now, LocalIssuer, until } from '../helpers/issuer.ts'

interface Started {
  readonly issuer: LocalIssuer
  /** Sends a request with a token. Returns the status, and whether the token came from the cache. */
  readonly request: (token: string) => Promise<Result>
  /** Does the same with an Authorization header. */
  readonly requestWith: (authorization: string) => Promise<Result>
  /** Sends two requests with a token. The second verification adds it to the cache. */
  readonly addToCache: (token: string) => Promise<Result>
}

type Result = [status: number, from: 'verified' | 'cached' | 'refused']

async function start(t: TestContext, options: Partial<JwksAuthOptions> = {}): Promise<Started> {
  const issuer = await LocalIssuer.start()
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  const accepted = eventsOf(t, diagnostics.tokenAccepted)
  const requestWith = async (authorization: string): Promise<Result> => {
    accepted.length = 0
    const { statusCode } = await app.inject({ url: '/secured', headers: { authorization } })
    const [event] = accepted
    return [statusCode, event ? (event.cached ? 'cached' : 'verified') : 'refused']
  }
  const request = (token: string): Promise<Result> => requestWith(`Bearer ${token}`)
  const addToCache = async (token: string): Promise<Result> => {
    await request(token)
    return request(token)
  }
  return { issuer, request, requestWith, addToCache }
}

suite('verified tokens', () => {
  test('a token is served from the cache after its second verification', async (t) => {
    const { issuer, request } = await start(t)
    const token = await issuer.token()
    t.assert.deepEqual(await request(token), [200, 'verified'])
    t.assert.deepEqual(await request(token), [200, 'verified'])
    t.assert.deepEqual(await request(token), [200, 'cached'])
    t.assert.deepEqual(await request(token), [200, 'cached'])
  })

  test('a token is verified each time with cache: false', async (t) => {
    const { issuer, request, addToCache } = await start(t, { cache: false })
    const token = await issuer.token()
    t.assert.deepEqual(await addToCache(token), [200, 'verified'])
    t.assert.deepEqual(await request(token), [200, 'verified'])
  })

  test('a token that is signed with a shared secret is cached too', async (t) => {
    const secret = 'a shared secret of enough bytes for HS256'
    const { issuer, request, addToCache } = await start(t, { secret } as Partial<JwksAuthOptions>)
    const token = await new SignJWT(issuer.claims())
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(secret))
    t.assert.deepEqual(await addToCache(token), [200, 'verified'])
    t.assert.deepEqual(await request(token), [200, 'cached'])
  })

  test('a cached token of one instance is not accepted by another instance', async (t) => {
    const one = await start(t)
    const other = await createApp({ issuer: one.issuer.issuer, audience: 'another api' })
    t.after(() => other.close())
    const token = await one.issuer.token()
    await one.addToCache(token)
    t.assert.deepEqual(await one.request(token), [200, 'cached'])
    t.assert.equal((await call(other, token)).statusCode, 401)
  })

  for (const [part, forge] of [
    ['header', (token: string) => token.replace(/^./, 'f')],
    ['payload', (token: string) => token.replace('.e', '.f')],
    ['end of the payload', (token: string) => token.replace(/.\./g, 'x.')],
    ['signature', (token: string) => token.replace(/.{5}$/, 'AAAAA')],
    ['start of the signature', (token: string) => token.replace(/\.[^.]{5}([^.]*)$/, '.AAAAA$1')],
  ] as const) {
    test(`a copy of a cached token with another ${part} is refused`, async (t) => {
      const { issuer, request, addToCache } = await start(t)
      const token = await issuer.token()
      await addToCache(token)
      t.assert.notEqual(forge(token), token)
      t.assert.deepEqual(await request(forge(token)), [401, 'refused'])
      t.assert.deepEqual(await request(token), [200, 'cached'])
    })
  }
})

suite('the Authorization header of a cached token', () => {
  test('a cached token is accepted with every valid form of the Authorization header and no invalid form', async (t) => {
    const { issuer, requestWith, addToCache } = await start(t)
    const token = await issuer.token()
    await addToCache(token)
    for (let round = 0; round < 2; round += 1) {
      t.assert.deepEqual(await requestWith(`Bearer ${token}`), [200, 'cached'])
      t.assert.deepEqual(await requestWith(`bearer   ${token}`), [200, 'cached'])
      for (const other of [`Basic ${token}`, token, `Bearer x ${token}`, `Bearer ${token} ${token}`]) {
        t.assert.deepEqual(await requestWith(other), [401, 'refused'])
      }
    }
  })
})

suite('how long a token is cached', () => {
  for (const [name, claims, options, end] of [
    ['exp', { exp: now() + 600 }, {}, 605],
    ['maxTokenAge', { exp: now() + 6_000 }, { maxTokenAge: 300_000 }, 305],
  ] as const) {
    test(`a cached token is refused after the time that ${name} sets`, async (t) => {
      const { issuer, request, addToCache } = await start(t, options)
      const token = await issuer.token({ claims })
      const { iat } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { iat: number }
      const begin = name === 'exp' ? (claims as { exp: number }).exp - 600 : iat
      await addToCache(token)
      t.mock.timers.enable({ apis: ['Date'], now: (begin + end) * 1000 - 1 })
      t.assert.deepEqual(await request(token), [200, 'cached'])
      t.mock.timers.tick(1)
      t.assert.deepEqual(await request(token), [401, 'refused'])
    })
  }

  for (const [title, claims, validTime] of [
    ['expired', { exp: now() - 60 }, now() - 90],
    ['not active yet', { nbf: now() + 60, exp: now() + 600 }, now() + 90],
  ] as const) {
    test(`a token that was ${title} when it was verified is cached, and accepted while its times are valid`, async (t) => {
      const { issuer, request, addToCache } = await start(t)
      const token = await issuer.token({ claims })
      t.assert.deepEqual(await addToCache(token), [401, 'refused'])
      t.assert.deepEqual(await request(token), [401, 'refused'])
      t.mock.timers.enable({ apis: ['Date'], now: validTime * 1000 })
      t.assert.deepEqual(await request(token), [200, 'cached'])
    })
  }

  for (const [title, claims, options] of [
    ['another audience', { aud: 'web' }, {}],
    ['other claims', { role: 'guest' }, { claims: { role: 'admin' } }],
    ['a mistyped claim', { sub: 5 }, {}],
  ] as const) {
    test(`an expired token with ${title} is refused, even if the clock goes back to before its exp`, async (t) => {
      const { issuer, request, addToCache } = await start(t, options)
      const exp = now() - 60
      const token = await issuer.token({ claims: { exp, ...claims } })
      await addToCache(token)
      t.mock.timers.enable({ apis: ['Date'], now: (exp - 60) * 1000 })
      t.assert.deepEqual(await request(token), [401, 'refused'])
    })
  }

  test('a cached token is refused after the issuer removes its key, and verified again when the key returns', async (t) => {
    const { issuer, request, addToCache } = await start(t, { jwks: { refreshInterval: 1, cooldown: 0 } })
    const other = await createKeyPair()
    const token = await issuer.token()
    await addToCache(token)
    issuer.keys = [other.jwk]
    await until(async () => (await request(token))[0] === 401)
    issuer.keys = [issuer.key.jwk]
    t.assert.deepEqual(await request(token), [200, 'verified'])
  })

  test('after a fetch for a new kid shows that the old key is removed, every token of the old key is refused', async (t: TestContext) => {
    const { issuer, request, addToCache } = await start(t)
    const [cached, verifiedOnce, unused] = await tokens(issuer, 3)
    await addToCache(cached!)
    await request(verifiedOnce!)
    t.assert.deepEqual(await request(cached!), [200, 'cached'])
    const other = await createKeyPair()
    issuer.keys = [other.jwk]
    t.assert.deepEqual(await request(await issuer.token({ key: other })), [200, 'verified'])
    for (const token of [cached, verifiedOnce, unused]) {
      t.assert.deepEqual(await request(token!), [401, 'refused'])
    }
  })

  test('a cached token is refused after its key is replaced under the same kid', async (t) => {
    const { issuer, request, addToCache } = await start(t, { jwks: { refreshInterval: 1 } })
    const other = await createKeyPair('ES256', issuer.key.jwk.kid)
    const token = await issuer.token()
    await addToCache(token)
    issuer.keys = [other.jwk]
    await until(async () => (await request(token))[0] === 401)
    t.assert.deepEqual(await request(await issuer.token({ key: other })), [200, 'verified'])
  })

  test('a cached token is answered 503 when its key is older than maxStale allows', async (t) => {
    const { issuer, request, addToCache } = await start(t, {
      jwks: { refreshInterval: 20, maxStale: 60, timeout: 1_000 },
    })
    const token = await issuer.token()
    await addToCache(token)
    await issuer.close()
    await until(async () => (await request(token))[0] === 503)
  })
})

suite('callbacks for a cached token', () => {
  test('isRevoked, formatUser and check are called in each request with a cached token', async (t) => {
    const calls: string[] = []
    await using issuer = await LocalIssuer.start()
    const app = await createApp({
      issuer: issuer.issuer,
      audience: 'api',
      isRevoked: () => calls.push('isRevoked') === 0,
      formatUser: (claims) => {
        calls.push('formatUser')
        return { ...claims }
      },
    })
    t.after(() => app.close())
    const check = (): boolean => calls.push('check') > 0
    app.get('/checked', { onRequest: [app.authorize({ check })] }, async () => 'ok')
    const token = await issuer.token()
    for (let round = 0; round < 4; round += 1) {
      calls.length = 0
      t.assert.equal((await call(app, token, '/checked')).statusCode, 200)
      t.assert.deepEqual(calls, ['isRevoked', 'formatUser', 'check'])
    }
  })

  test('a token that is revoked after it was cached is refused', async (t) => {
    let isRevoked = false
    const { issuer, request, addToCache } = await start(t, { isRevoked: () => isRevoked })
    const token = await issuer.token()
    await addToCache(token)
    t.assert.deepEqual(await request(token), [200, 'cached'])
    isRevoked = true
    t.assert.equal((await request(token))[0], 401)
  })
})

suite('a full cache', () => {
  test('a full cache evicts the least recently used token', async (t) => {
    const { issuer, request, addToCache } = await start(t, { cache: { max: 2 } })
    const [a, b, c] = await tokens(issuer, 3)
    await addToCache(a!)
    await addToCache(b!)
    await request(a!)
    await addToCache(c!)
    t.assert.deepEqual(await request(a!), [200, 'cached'])
    t.assert.deepEqual(await request(b!), [200, 'verified'])
  })

  test('refused tokens evict no cached token', async (t) => {
    const { issuer, request, addToCache } = await start(t, { cache: { max: 2 } })
    const users = await tokens(issuer, 2)
    for (const token of users) await addToCache(token)
    const forWeb = await issuer.token({ claims: { aud: 'web' } })
    for (let index = 0; index < 100; index += 1) {
      const forged = users[0]!.replace(/.{9}$/, `${index}`.padStart(9, 'A'))
      const sameEnd = users[0]!.replace(/\.[^.]{9}([^.]*)$/, `.${`${index}`.padStart(9, 'A')}$1`)
      for (const token of [forged, sameEnd, forWeb]) t.assert.equal((await request(token))[0], 401)
    }
    for (const token of users) t.assert.deepEqual(await request(token), [200, 'cached'])
  })

  test('tokens that are sent once evict no cached token', async (t) => {
    const { issuer, request, addToCache } = await start(t, { cache: { max: 2 } })
    const [a, b, ...others] = await tokens(issuer, 50)
    for (const token of [a, b]) await addToCache(token!)
    for (const token of others) t.assert.deepEqual(await request(token), [200, 'verified'])
    for (const token of [a, b]) t.assert.deepEqual(await request(token!), [200, 'cached'])
  })

  test('a first verification no longer counts after many other tokens', async (t) => {
    const { issuer, request, addToCache } = await start(t, { cache: { max: 2 } })
    const [a, ...others] = await tokens(issuer, 6)
    await request(a!)
    for (const token of others) await request(token)
    t.assert.deepEqual(await addToCache(a!), [200, 'verified'])
    t.assert.deepEqual(await request(a!), [200, 'cached'])
  })

  test('a token larger than the whole cache is not cached, and evicts no other token', async (t) => {
    const { issuer, request, addToCache } = await start(t, { cache: { maxBytes: 8_192 } })
    const small = await issuer.token()
    const large = await issuer.token({ claims: { groups: 'x'.repeat(8_000) } })
    await addToCache(small)
    await addToCache(large)
    t.assert.deepEqual(await request(large), [200, 'verified'])
    t.assert.deepEqual(await request(small), [200, 'cached'])
  })

  test('tokens of 8 KB are evicted by maxBytes before max is reached', async (t) => {
    const { issuer, request, addToCache } = await start(t, { cache: { max: 1_000, maxBytes: 100_000 } })
    const users = await tokens(issuer, 20, { groups: 'x'.repeat(8_000) })
    for (const token of users) await addToCache(token)
    t.assert.deepEqual(await request(users.at(-1)!), [200, 'cached'])
    t.assert.deepEqual(await request(users[0]!), [200, 'verified'])
  })
})

suite('the claims of a cached token', () => {
  test('the claims of a cached token are the same frozen object in each request', async (t) => {
    await using issuer = await LocalIssuer.start()
    const app = await createApp({ issuer: issuer.issuer, audience: 'api' })
    t.after(() => app.close())
    const seen: unknown[] = []
    app.get('/seen', { onRequest: [app.authenticate] }, async ({ user, accessToken }) => {
      seen.push(user, accessToken!.claims)
      t.assert.throws(() => Object.assign(user.nested as object, { admin: true }), TypeError)
      t.assert.throws(() => Object.assign(accessToken!, { raw: '' }), TypeError)
      t.assert.throws(() => Object.assign(accessToken!.header, { typ: '' }), TypeError)
      return accessToken!.raw
    })
    const token = await issuer.token({ claims: { nested: { admin: false } } })
    for (let round = 0; round < 4; round += 1) {
      t.assert.equal((await call(app, token, '/seen')).body, token)
    }
    t.assert.equal(new Set(seen.slice(2)).size, 1)
  })
})

suite('headers of tokens', () => {
  for (const [title, header] of [
    ['many different headers', (index: number) => ({ index })],
    ['long headers', (index: number) => ({ index, x5c: ['x'.repeat(2_000)] })],
  ] as const) {
    test(`${title} are decoded correctly`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const app = await createApp({ issuer: issuer.issuer, audience: 'api', cache: false })
      t.after(() => app.close())
      app.get(
        '/header',
        { onRequest: [app.authenticate] },
        async ({ accessToken }) => accessToken!.header.index,
      )
      for (let index = 0; index < 110; index += 1) {
        const token = await issuer.token({ header: header(index) })
        for (let round = 0; round < 2; round += 1) {
          t.assert.equal((await call(app, token, '/header')).body, String(index))
        }
      }
    })
  }
})

suite('the size of a token', () => {
  test('the size of a token includes its header', async (t) => {
    const { issuer, request, addToCache } = await start(t, { cache: { maxBytes: 16_384 } })
    const token = await issuer.token({ header: { x5c: ['x'.repeat(8_000)] } })
    await addToCache(token)
    t.assert.deepEqual(await request(token), [200, 'verified'])
  })
})

async function tokens(issuer: LocalIssuer, count: number, claims: object = {}): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) =>
      issuer.token({ claims: { sub: `user ${index}`, ...claims } }),
    ),
  )
}
