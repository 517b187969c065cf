import { createHash } from 'node:crypto'
import { suite, test, type TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SignJWT } from 'jose'
import { digestOf, TokenCache, type KnownToken } from '../lib/cache.ts'
import { diagnostics, type JwksAuthOptions } from '../lib/index.ts'
import { freezeDeeply } from '../lib/json.ts'
import { TokenReader, type AccessTokenClaims, type JoseHeader } from '../lib/token.ts'
import { call, createApp } from './helpers/app.ts'
import { eventsOf } from './helpers/events.ts'
import { createKeyPair, now, TestIssuer, unsignedToken, until } from './helpers/issuer.ts'

interface Started {
  readonly issuer: TestIssuer
  /** Calls with a token, and tells its status and whether its signature was verified anew. */
  readonly ask: (token: string) => Promise<Verdict>
  /** Calls twice, after which a token is known. */
  readonly learn: (token: string) => Promise<Verdict>
}

type Verdict = [status: number, from: 'verified' | 'cached' | 'refused']

async function start(t: TestContext, options: Partial<JwksAuthOptions> = {}): Promise<Started> {
  const issuer = await TestIssuer.start()
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
  t.after(async () => {
    await app.close()
    await issuer.close()
  })
  const accepted = eventsOf(t, diagnostics.tokenAccepted)
  const ask = async (token: string): Promise<Verdict> => {
    accepted.length = 0
    const { statusCode } = await call(app, token)
    const [event] = accepted
    return [statusCode, event ? (event.cached ? 'cached' : 'verified') : 'refused']
  }
  const learn = async (token: string): Promise<Verdict> => {
    await ask(token)
    return ask(token)
  }
  return { issuer, ask, learn }
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
      // It was dropped, so it would have to be verified again.
      t.mock.timers.setTime((begin + end) * 1000 - 1)
      t.assert.deepEqual(await ask(token), [200, 'verified'])
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
    await using issuer = await TestIssuer.start()
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
    const expired = await issuer.token({ claims: { exp: now() - 60 } })
    const forWeb = await issuer.token({ claims: { aud: 'web' } })
    for (let index = 0; index < 100; index += 1) {
      const forged = users[0]!.replace(/.{9}$/, `${index}`.padStart(9, 'A'))
      const sameEnd = users[0]!.replace(/\.[^.]{9}([^.]*)$/, `.${`${index}`.padStart(9, 'A')}$1`)
      for (const token of [forged, sameEnd, expired, forWeb]) t.assert.equal((await ask(token))[0], 401)
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
    await using issuer = await TestIssuer.start()
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
      await using issuer = await TestIssuer.start()
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

suite('the cache itself', () => {
  const header = { alg: 'none' }
  const noClaims = { iss: '', exp: 0 }
  const token = (index: number): string => `${'x'.repeat(50)}${index}`
  /** Keeps a token, for which it takes two times. */
  function keep(cache: TokenCache, index: number, known: KnownToken): void {
    for (let round = 0; round < 2; round += 1) cache.keep(token(index), known)
  }

  test('drops the tokens that a key verified, and no others', (t) => {
    const [left, kept] = [() => true, () => true]
    const cache = new TokenCache({ max: 10, maxBytes: 1e6 })
    for (const [index, verifier] of [left, kept, left].entries()) {
      keep(cache, index, { header, claims: noClaims, verifier })
    }
    cache.dropVerifiedBy(new Set([left]))
    t.assert.deepEqual(
      [0, 1, 2].map((index) => cache.find(token(index))?.verifier),
      [undefined, kept, undefined],
    )
  })

  test('does not drop a token for another one of the same end', (t) => {
    const cache = new TokenCache({ max: 10, maxBytes: 1e6 })
    keep(cache, 1, { header, claims: noClaims, verifier: () => true })
    cache.drop(`y${token(1)}`)
    t.assert.notEqual(cache.find(token(1)), undefined)
    cache.drop(token(1))
    t.assert.equal(cache.find(token(1)), undefined)
  })

  test('keeps as many as there is room for that come again after all others', (t) => {
    const cache = new TokenCache({ max: 1_000, maxBytes: 1e9 })
    const all = Array.from({ length: 1_000 }, (_, index) => token(index + 1_000))
    for (let round = 0; round < 2; round += 1) {
      for (const one of all) cache.keep(one, { header, claims: noClaims, verifier: () => true })
    }
    t.assert.equal(all.filter((one) => cache.find(one) !== undefined).length, 1_000)
  })

  test('knows a token by its SHA-256', (t) => {
    t.assert.equal(digestOf('e30.e30.x'), createHash('sha256').update('e30.e30.x').digest('base64'))
  })

  const name = (index: number, length: number): string => `${index} `.padEnd(length, 'x')
  const shapes: Record<string, (index: number) => object> = {
    'no claims': () => ({}),
    'usual claims': (index) => ({
      sub: name(index, 20),
      aud: ['a'.repeat(40), 'b'.repeat(40)],
      scope: 'read write admin '.repeat(10),
    }),
    'many groups': () => ({ groups: Array.from({ length: 200 }, (_, group) => name(group, 30)) }),
    'empty objects': () => ({ nested: Array.from({ length: 200 }, () => ({})) }),
    numbers: () => ({ numbers: Array.from({ length: 500 }, (_, number) => number + 0.5) }),
    'many claims': () =>
      Object.fromEntries(Array.from({ length: 200 }, (_, claim) => [name(claim, 8), claim])),
    'claims with names of their own': (index) =>
      Object.fromEntries(Array.from({ length: 100 }, (_, claim) => [name(index * 100 + claim, 60), true])),
    'one long name': (index) => ({ [name(index, 8_000)]: 1 }),
    'text beyond Latin': () => ({ unicode: 'ж'.repeat(4_000) }),
  }
  for (const [title, claimsOf] of Object.entries(shapes)) {
    test(`counts at least what a token with ${title} takes`, (t: TestContext) => {
      setFlagsFromString('--expose-gc')
      const gc = runInNewContext('gc') as () => void
      // Of small ones so many that what else the process does is little beside them.
      const count = JSON.stringify(claimsOf(0)).length < 1_000 ? 4_000 : 1_000
      const cache = new TokenCache({ max: 2 * count, maxBytes: 1e9 })
      const fill = (from: number): void => {
        for (let index = from; index < from + count; index += 1) {
          const claims = JSON.parse(JSON.stringify(claimsOf(index))) as AccessTokenClaims
          freezeDeeply(claims)
          keep(cache, index, { header, claims, verifier: () => true })
        }
        for (let round = 0; round < 2; round += 1) gc()
      }
      fill(0)
      const before = { counted: cache.bytes, heap: process.memoryUsage().heapUsed }
      fill(count)
      const counted = cache.bytes - before.counted
      const taken = process.memoryUsage().heapUsed - before.heap
      t.assert.ok(taken <= counted, `${taken} bytes taken, ${counted} counted`)
      t.assert.ok(counted < taken * 10, `${taken} bytes taken, ${counted} counted`)
    })
  }

  test('what a header takes counts too', async (t) => {
    const { issuer, ask, learn } = await start(t, { cache: { maxBytes: 16_384 } })
    const token = await issuer.token({ header: { x5c: ['x'.repeat(8_000)] } })
    await learn(token)
    t.assert.deepEqual(await ask(token), [200, 'verified'])
  })
})

suite('remembered headers', () => {
  const headerOf = (reader: TokenReader, token: string): unknown => reader.read(token)!.header
  const tokenWith = (header: object): string => unsignedToken(header, {}, 'x')

  test('are those that were to be remembered, and no others', (t) => {
    const reader = new TokenReader()
    const [known, unknown] = [tokenWith({ kid: 'a' }), tokenWith({ kid: 'b' })]
    reader.remember(known, reader.read(known)!.header as JoseHeader)
    t.assert.equal(headerOf(reader, known), headerOf(reader, known))
    t.assert.notEqual(headerOf(reader, unknown), headerOf(reader, unknown))
  })

  test('are short', (t) => {
    const reader = new TokenReader()
    const token = tokenWith({ kid: 'x'.repeat(1_000) })
    reader.remember(token, reader.read(token)!.header as JoseHeader)
    t.assert.notEqual(headerOf(reader, token), headerOf(reader, token))
  })

  test('are one hundred at most', (t) => {
    const reader = new TokenReader()
    const tokens = Array.from({ length: 101 }, (_, index) => tokenWith({ kid: index }))
    const isKnown = (token: string): boolean => headerOf(reader, token) === headerOf(reader, token)
    for (const token of tokens) {
      reader.remember(token, reader.read(token)!.header as JoseHeader)
      if (token === tokens[99]) t.assert.equal(tokens.filter(isKnown).length, 100)
    }
    t.assert.deepEqual(tokens.filter(isKnown), [tokens[100]])
  })
})

async function tokens(issuer: TestIssuer, count: number, claims: object = {}): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) =>
      issuer.token({ claims: { sub: `user ${index}`, ...claims } }),
    ),
  )
}
