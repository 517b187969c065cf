import { suite, test, type TestContext } from 'node:test'
import { SignJWT } from 'jose'
import { diagnostics, type JwksAuthOptions } from '../../lib/index.ts'
import { call, createApp } from '../helpers/app.ts'
import { eventsOf } from '../helpers/events.ts'
import { createKeyPair, now, LocalIssuer, until } from '../helpers/issuer.ts'

interface Started {
  readonly issuer: LocalIssuer
  /** Calls with a token, and tells its status and whether its signature was verified anew. */
  readonly ask: (token: string) => Promise<Verdict>
  /** The same with an Authorization header. */
  readonly authorize: (authorization: string) => Promise<Verdict>
  /** Calls twice, after which a token is known. */
  readonly learn: (token: string) => Promise<Verdict>
}

type Verdict = [status: number, from: 'verified' | 'cached' | 'refused']

async function start(t: TestContext, options: Partial<JwksAuthOptions> = {}): Promise<Started> {
  const issuer = await LocalIssuer.start()
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  const accepted = eventsOf(t, diagnostics.tokenAccepted)
  const authorize = async (authorization: string): Promise<Verdict> => {
    accepted.length = 0
    const { statusCode } = await app.inject({ url: '/secured', headers: { authorization } })
    const [event] = accepted
    return [statusCode, event ? (event.cached ? 'cached' : 'verified') : 'refused']
  }
  const ask = (token: string): Promise<Verdict> => authorize(`Bearer ${token}`)
  const learn = async (token: string): Promise<Verdict> => {
    await ask(token)
    return ask(token)
  }
  return { issuer, ask, authorize, learn }
}

suite('a verified token', () => {
  test('is known once it was verified for the second time', async (t) => {
    const { issuer, ask } = await start(t)
    const token = await issuer.token()
    t.assert.deepEqual(await ask(token), [200, 'verified'])
    t.assert.deepEqual(await ask(token), [200, 'verified'])
    t.assert.deepEqual(await ask(token), [200, 'cached'])
    t.assert.deepEqual(await ask(token), [200, 'cached'])
  })

  test('is verified each time with cache: false', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: false })
    const token = await issuer.token()
    t.assert.deepEqual(await learn(token), [200, 'verified'])
    t.assert.deepEqual(await ask(token), [200, 'verified'])
  })

  test('is known with a shared secret too', async (t) => {
    const secret = 'a shared secret of enough bytes for HS256'
    const { issuer, ask, learn } = await start(t, { secret } as Partial<JwksAuthOptions>)
    const token = await new SignJWT(issuer.claims())
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(secret))
    t.assert.deepEqual(await learn(token), [200, 'verified'])
    t.assert.deepEqual(await ask(token), [200, 'cached'])
  })

  test('is not known to another instance', async (t) => {
    const one = await start(t)
    const other = await createApp({ issuer: one.issuer.issuer, audience: 'another api' })
    t.after(() => other.close())
    const token = await one.issuer.token()
    await one.learn(token)
    t.assert.deepEqual(await one.ask(token), [200, 'cached'])
    t.assert.equal((await call(other, token)).statusCode, 401)
  })

  for (const [part, forge] of [
    ['header', (token: string) => token.replace(/^./, 'f')],
    ['payload', (token: string) => token.replace('.e', '.f')],
    ['end of the payload', (token: string) => token.replace(/.\./g, 'x.')],
    ['signature', (token: string) => token.replace(/.{5}$/, 'AAAAA')],
    ['begin of the signature', (token: string) => token.replace(/\.[^.]{5}([^.]*)$/, '.AAAAA$1')],
  ] as const) {
    test(`does not vouch for one with another ${part}`, async (t) => {
      const { issuer, ask, learn } = await start(t)
      const token = await issuer.token()
      await learn(token)
      t.assert.notEqual(forge(token), token)
      t.assert.deepEqual(await ask(forge(token)), [401, 'refused'])
      t.assert.deepEqual(await ask(token), [200, 'cached'])
    })
  }
})

suite('the credentials of a known token', () => {
  test('may be spelled in each way that is right, and in no other', async (t) => {
    const { issuer, authorize, learn } = await start(t)
    const token = await issuer.token()
    await learn(token)
    for (let round = 0; round < 2; round += 1) {
      t.assert.deepEqual(await authorize(`Bearer ${token}`), [200, 'cached'])
      t.assert.deepEqual(await authorize(`bearer   ${token}`), [200, 'cached'])
      for (const other of [`Basic ${token}`, token, `Bearer x ${token}`, `Bearer ${token} ${token}`]) {
        t.assert.deepEqual(await authorize(other), [401, 'refused'])
      }
    }
  })
})

suite('how long a token is known', () => {
  for (const [title, claims, options, end] of [
    ['exp', { exp: now() + 600 }, {}, 605],
    ['maxTokenAge', { exp: now() + 6_000 }, { maxTokenAge: 300_000 }, 305],
  ] as const) {
    test(`no longer than ${title}`, async (t) => {
      const { issuer, ask, learn } = await start(t, options)
      const token = await issuer.token({ claims })
      const { iat } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { iat: number }
      const begin = title === 'exp' ? (claims as { exp: number }).exp - 600 : iat
      await learn(token)
      t.mock.timers.enable({ apis: ['Date'], now: (begin + end) * 1000 - 1 })
      t.assert.deepEqual(await ask(token), [200, 'cached'])
      t.mock.timers.tick(1)
      t.assert.deepEqual(await ask(token), [401, 'refused'])
    })
  }

  for (const [title, claims, right] of [
    ['expired', { exp: now() - 60 }, now() - 90],
    ['not active yet', { nbf: now() + 60, exp: now() + 600 }, now() + 90],
  ] as const) {
    test(`one that was ${title} from the start is known, and let in when its time is right`, async (t) => {
      const { issuer, ask, learn } = await start(t)
      const token = await issuer.token({ claims })
      t.assert.deepEqual(await learn(token), [401, 'refused'])
      t.assert.deepEqual(await ask(token), [401, 'refused'])
      t.mock.timers.enable({ apis: ['Date'], now: right * 1000 })
      t.assert.deepEqual(await ask(token), [200, 'cached'])
    })
  }

  for (const [title, claims, options] of [
    ['another audience', { aud: 'web' }, {}],
    ['other claims', { role: 'guest' }, { claims: { role: 'admin' } }],
    ['a mistyped claim', { sub: 5 }, {}],
  ] as const) {
    test(`an expired one with ${title} is not known, whatever becomes of the clock`, async (t) => {
      const { issuer, ask, learn } = await start(t, options)
      const exp = now() - 60
      const token = await issuer.token({ claims: { exp, ...claims } })
      await learn(token)
      t.mock.timers.enable({ apis: ['Date'], now: (exp - 60) * 1000 })
      t.assert.deepEqual(await ask(token), [401, 'refused'])
    })
  }

  test('no longer than its key is published, even when the key comes back', async (t) => {
    const { issuer, ask, learn } = await start(t, { jwks: { refreshInterval: 1, cooldown: 0 } })
    const other = await createKeyPair()
    const token = await issuer.token()
    await learn(token)
    issuer.keys = [other.jwk]
    await until(async () => (await ask(token))[0] === 401)
    issuer.keys = [issuer.key.jwk]
    t.assert.deepEqual(await ask(token), [200, 'verified'])
  })

  test('a look-up that shows a new key and the old one gone ends what the old one verified, and would verify', async (t: TestContext) => {
    const { issuer, ask, learn } = await start(t)
    const [known, once, never] = await tokens(issuer, 3)
    await learn(known!)
    await ask(once!)
    t.assert.deepEqual(await ask(known!), [200, 'cached'])
    const other = await createKeyPair()
    issuer.keys = [other.jwk]
    t.assert.deepEqual(await ask(await issuer.token({ key: other })), [200, 'verified'])
    for (const token of [known, once, never]) t.assert.deepEqual(await ask(token!), [401, 'refused'])
  })

  test('a key that is replaced under its kid ends it', async (t) => {
    const { issuer, ask, learn } = await start(t, { jwks: { refreshInterval: 1 } })
    const other = await createKeyPair('ES256', issuer.key.jwk.kid)
    const token = await issuer.token()
    await learn(token)
    issuer.keys = [other.jwk]
    await until(async () => (await ask(token))[0] === 401)
    t.assert.deepEqual(await ask(await issuer.token({ key: other })), [200, 'verified'])
  })

  test('no longer than its key may be stale', async (t) => {
    const { issuer, ask, learn } = await start(t, {
      jwks: { refreshInterval: 20, maxStale: 60, timeout: 1_000 },
    })
    const token = await issuer.token()
    await learn(token)
    await issuer.close()
    await until(async () => (await ask(token))[0] === 503)
  })
})

suite('what is asked of a cached token each time', () => {
  test('isRevoked, formatUser and check', async (t) => {
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
    const { issuer, ask, learn } = await start(t, { isRevoked: () => isRevoked })
    const token = await issuer.token()
    await learn(token)
    t.assert.deepEqual(await ask(token), [200, 'cached'])
    isRevoked = true
    t.assert.equal((await ask(token))[0], 401)
  })
})

suite('who leaves when there is no more room', () => {
  test('the token that was not used for longest', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: { max: 2 } })
    const [a, b, c] = await tokens(issuer, 3)
    await learn(a!)
    await learn(b!)
    await ask(a!)
    await learn(c!)
    t.assert.deepEqual(await ask(a!), [200, 'cached'])
    t.assert.deepEqual(await ask(b!), [200, 'verified'])
  })

  test('nobody for tokens that are refused', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: { max: 2 } })
    const users = await tokens(issuer, 2)
    for (const token of users) await learn(token)
    const forWeb = await issuer.token({ claims: { aud: 'web' } })
    for (let index = 0; index < 100; index += 1) {
      const forged = users[0]!.replace(/.{9}$/, `${index}`.padStart(9, 'A'))
      const sameEnd = users[0]!.replace(/\.[^.]{9}([^.]*)$/, `.${`${index}`.padStart(9, 'A')}$1`)
      for (const token of [forged, sameEnd, forWeb]) t.assert.equal((await ask(token))[0], 401)
    }
    for (const token of users) t.assert.deepEqual(await ask(token), [200, 'cached'])
  })

  test('nobody for tokens that come once', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: { max: 2 } })
    const [a, b, ...others] = await tokens(issuer, 50)
    for (const token of [a, b]) await learn(token!)
    for (const token of others) t.assert.deepEqual(await ask(token), [200, 'verified'])
    for (const token of [a, b]) t.assert.deepEqual(await ask(token!), [200, 'cached'])
  })

  test('a token that comes again after many others counts as new', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: { max: 2 } })
    const [a, ...others] = await tokens(issuer, 6)
    await ask(a!)
    for (const token of others) await ask(token)
    t.assert.deepEqual(await learn(a!), [200, 'verified'])
    t.assert.deepEqual(await ask(a!), [200, 'cached'])
  })

  test('a token that takes more than all the room is not kept, and pushes nobody out', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: { maxBytes: 8_192 } })
    const small = await issuer.token()
    const large = await issuer.token({ claims: { groups: 'x'.repeat(8_000) } })
    await learn(small)
    await learn(large)
    t.assert.deepEqual(await ask(large), [200, 'verified'])
    t.assert.deepEqual(await ask(small), [200, 'cached'])
  })

  test('tokens of 8 KB leave sooner than their number would say', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: { max: 1_000, maxBytes: 100_000 } })
    const users = await tokens(issuer, 20, { groups: 'x'.repeat(8_000) })
    for (const token of users) await learn(token)
    t.assert.deepEqual(await ask(users.at(-1)!), [200, 'cached'])
    t.assert.deepEqual(await ask(users[0]!), [200, 'verified'])
  })
})

suite('the claims of a cached token', () => {
  test('are the same frozen object in each request', async (t) => {
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
    ['many different ones', (index: number) => ({ index })],
    ['long ones', (index: number) => ({ index, x5c: ['x'.repeat(2_000)] })],
  ] as const) {
    test(`${title} are read right`, async (t) => {
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
  test('includes its header', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: { maxBytes: 16_384 } })
    const token = await issuer.token({ header: { x5c: ['x'.repeat(8_000)] } })
    await learn(token)
    t.assert.deepEqual(await ask(token), [200, 'verified'])
  })
})

async function tokens(issuer: LocalIssuer, count: number, claims: object = {}): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) =>
      issuer.token({ claims: { sub: `user ${index}`, ...claims } }),
    ),
  )
}
