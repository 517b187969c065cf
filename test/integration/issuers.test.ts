import { createPublicKey, randomBytes, type JsonWebKey } from 'node:crypto'
import { suite, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { SignJWT, type JWTHeaderParameters } from 'jose'
import { canonicalAlgorithm } from '../../lib/jwt/algorithms.ts'
import type { AsymmetricAlgorithm, JwsAlgorithm, SecretAlgorithm } from '../../lib/index.ts'
import { call, createApp, readAnswer } from '../helpers/app.ts'
import { createKeyPair, LocalIssuer, now, sign, type KeyPair } from '../helpers/issuer.ts'

async function signWithSecret(
  secret: string | Uint8Array,
  claims: object,
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const key = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
  return new SignJWT({ exp: now() + 600, aud: 'api', ...claims })
    .setProtectedHeader({ alg: 'HS256', ...header })
    .sign(key)
}

/** The code of the refusal, or the issuer of the accepted user. */
async function outcome(app: FastifyInstance, token: string): Promise<unknown> {
  const response = await call(app, token)
  const body = response.json<{ code?: string; user?: { iss: string } }>()
  return response.statusCode === 200 ? body.user?.iss : body.code
}

suite('several issuers', () => {
  test('each issuer has its own audience, algorithms, tolerance, claims and keys or secret', async (t: TestContext) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start({ path: '/realms/two' })
    const rsa = await createKeyPair('RS256')
    for (const issuer of [one, two]) issuer.keys.push(rsa.jwk)
    const secret = randomBytes(32)
    await using app = await createApp({
      issuers: [
        { issuer: one.issuer, audience: 'one', algorithms: ['ES256'], clockTolerance: 60_000 },
        { issuer: two.issuer, audience: ['two', 'zwei'], jwksUri: two.jwksUri, claims: { use: 'access' } },
        { issuer: 'three', audience: 'three', secret, requiredClaims: ['jti'] },
      ],
    })
    const three = { iss: 'three', aud: 'three', jti: 'a' }
    const outcomes: [token: Promise<string>, outcome: string][] = [
      [one.token({ claims: { aud: 'one' } }), one.issuer],
      [one.token({ claims: { aud: 'two', use: 'access' } }), 'invalid_audience'],
      [one.token({ claims: { aud: 'one' }, key: rsa }), 'invalid_algorithm'],
      [one.token({ claims: { aud: 'one', exp: now() - 30 } }), one.issuer],

      [two.token({ claims: { aud: 'zwei', use: 'access' } }), two.issuer],
      [two.token({ claims: { aud: 'one', use: 'access' } }), 'invalid_audience'],
      [two.token({ claims: { aud: 'two', use: 'access' }, key: rsa }), two.issuer],
      [two.token({ claims: { aud: 'two', use: 'access', exp: now() - 30 } }), 'token_expired'],
      [two.token({ claims: { aud: 'two' } }), 'invalid_claims'],

      [signWithSecret(secret, three), 'three'],
      [signWithSecret(secret, { ...three, aud: 'one' }), 'invalid_audience'],
      [signWithSecret(secret, { ...three, jti: undefined }), 'invalid_claims'],
      [signWithSecret(secret, { ...three, iss: one.issuer, aud: 'one' }), 'invalid_algorithm'],
      [one.token({ claims: three }), 'invalid_algorithm'],
    ]
    for (const [token, expected] of outcomes) t.assert.strictEqual(await outcome(app, await token), expected)
  })

  test("the refusal of another audience names the audiences of the token's issuer", async (t: TestContext) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start()
    await using app = await createApp({
      issuers: [
        { issuer: one.issuer, audience: 'first' },
        { issuer: two.issuer, audience: ['second', 'third'] },
      ],
    })
    const messages = await Promise.all(
      [one, two].map(async (issuer) => readAnswer(await call(app, await issuer.token())).message),
    )
    t.assert.deepStrictEqual(messages, [
      'the audience does not match. expected: first',
      'the audience does not match. expected: second, third',
    ])
  })

  test('a key of one issuer never verifies a token of another, with the same kid or another', async (t: TestContext) => {
    const kid = 'of both'
    await using one = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    await using two = await LocalIssuer.start({ key: await createKeyPair('ES256', kid) })
    const onlyOne = await createKeyPair()
    one.keys.push(onlyOne.jwk)
    await using app = await createApp({
      issuers: [one, two].map(({ issuer }) => ({ issuer, audience: 'api' })),
    })
    const token = (issuer: LocalIssuer, key = issuer.key): Promise<string> => issuer.token({ key })
    for (const round of ['before the keys are known', 'after']) {
      t.assert.strictEqual(await outcome(app, await token(one, two.key)), 'token_invalid_signature', round)
      t.assert.strictEqual(await outcome(app, await token(two, one.key)), 'token_invalid_signature', round)
      t.assert.strictEqual(await outcome(app, await token(two, onlyOne)), 'invalid_header', round)
      t.assert.strictEqual(await outcome(app, await token(one)), one.issuer, round)
      t.assert.strictEqual(await outcome(app, await token(two)), two.issuer, round)
      t.assert.strictEqual(await outcome(app, await token(one, onlyOne)), one.issuer, round)
    }
  })

  test('an issuer is fetched from only for its own tokens', async (t: TestContext) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start()
    await using app = await createApp({
      issuers: [one, two].map(({ issuer }) => ({ issuer, audience: 'api' })),
    })
    t.assert.strictEqual(await outcome(app, await one.token({ key: two.key })), 'invalid_header')
    t.assert.deepStrictEqual([one.fetches > 0, two.requests], [true, []])
  })

  test('the secret of one issuer never verifies a token of another', async (t: TestContext) => {
    const secrets = { one: randomBytes(32), two: randomBytes(32) }
    await using app = await createApp({
      issuers: Object.entries(secrets).map(([issuer, secret]) => ({ issuer, secret, audience: 'api' })),
    })
    t.assert.strictEqual(await outcome(app, await signWithSecret(secrets.one, { iss: 'one' })), 'one')
    t.assert.strictEqual(await outcome(app, await signWithSecret(secrets.two, { iss: 'two' })), 'two')
    for (const [secret, iss] of [
      [secrets.two, 'one'],
      [secrets.one, 'two'],
    ] as const) {
      t.assert.strictEqual(
        await outcome(app, await signWithSecret(secret, { iss })),
        'token_invalid_signature',
      )
    }
  })

  test('prefetch fetches the keys of every issuer that publishes keys', async (t: TestContext) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start()
    await using app = await createApp({
      issuers: [
        { issuer: one.issuer, audience: 'api' },
        { issuer: 'three', audience: 'api', secret: randomBytes(32) },
        { issuer: two.issuer, audience: 'api', jwksUri: two.jwksUri },
      ],
      jwks: { prefetch: true },
    })
    await app.ready()
    t.assert.deepStrictEqual([one.fetches, two.fetches], [1, 1])
    t.assert.strictEqual(await outcome(app, await one.token()), one.issuer)
    t.assert.strictEqual(await outcome(app, await two.token()), two.issuer)
    t.assert.deepStrictEqual([one.fetches, two.fetches], [1, 1])
  })
})

suite('the name of an issuer', () => {
  for (const path of ['', '/', '/realms/a', '/realms/a/']) {
    test(`an issuer with the path "${path}" is another than the one with or without a slash at the end`, async (t: TestContext) => {
      await using issuer = await LocalIssuer.start({ path })
      await using app = await createApp({ issuer: issuer.issuer, audience: 'api' })
      const other = path.endsWith('/') ? issuer.issuer.slice(0, -1) : `${issuer.issuer}/`
      t.assert.strictEqual(
        await outcome(app, await issuer.token({ claims: { iss: other } })),
        'invalid_claims',
      )
      t.assert.deepStrictEqual(issuer.requests, [])
      t.assert.strictEqual(await outcome(app, await issuer.token()), issuer.issuer)
    })
  }

  test('two issuers that differ in a slash at the end have their own keys', async (t: TestContext) => {
    await using one = await LocalIssuer.start()
    await using two = await LocalIssuer.start({ path: '/' })
    const name = 'https://issuer.example'
    await using app = await createApp({
      issuers: [
        { issuer: name, jwksUri: one.jwksUri, audience: 'api' },
        { issuer: `${name}/`, jwksUri: two.jwksUri, audience: 'api' },
      ],
    })
    const named = (iss: string, issuer: LocalIssuer): Promise<string> => issuer.token({ claims: { iss } })
    t.assert.strictEqual(await outcome(app, await named(name, one)), name)
    t.assert.strictEqual(await outcome(app, await named(`${name}/`, two)), `${name}/`)
    t.assert.strictEqual(await outcome(app, await named(name, two)), 'invalid_header')
    t.assert.strictEqual(await outcome(app, await named(`${name}/`, one)), 'invalid_header')
  })

  const others: [title: string, iss: (issuer: string) => unknown][] = [
    ['that is missing', () => undefined],
    ['of null', () => null],
    ['that is a number', () => 1],
    ['of true', () => true],
    ['that is empty', () => ''],
    ['that is a list', (issuer) => [issuer]],
    ['that is an empty list', () => []],
    ['that is an object', (issuer) => ({ iss: issuer })],
    ['that is an object with a method name', (issuer) => ({ toString: issuer })],
    ['that is a name of Object.prototype', () => 'constructor'],
    ['of __proto__', () => '__proto__'],
    ['in capitals', (issuer) => issuer.toUpperCase()],
    ['with white space', (issuer) => ` ${issuer}`],
    ['with a path', (issuer) => `${issuer}/realms/a`],
    ['with a query', (issuer) => `${issuer}?a`],
    ['on another port', (issuer) => `${issuer}0`],
    ['with another name of the host', (issuer) => issuer.replace('127.0.0.1', 'localhost')],
    ['that is a part of the name', (issuer) => issuer.slice(0, -1)],
  ]
  for (const [title, iss] of others) {
    test(`an iss ${title} is refused without a request to an issuer`, async (t: TestContext) => {
      await using one = await LocalIssuer.start()
      await using two = await LocalIssuer.start()
      await using app = await createApp({
        issuers: [one, two].map(({ issuer }) => ({ issuer, audience: 'api' })),
      })
      const response = await call(app, await one.token({ claims: { iss: iss(one.issuer) } }))
      t.assert.deepStrictEqual(readAnswer(response), {
        status: 401,
        code: 'invalid_claims',
        message: 'incorrect claims, please check the audience and issuer',
        challenge: 'Bearer realm="api", error="invalid_token"',
      })
      t.assert.deepStrictEqual([...one.requests, ...two.requests], [])
    })
  }
})

suite('published keys', () => {
  const algorithms: AsymmetricAlgorithm[] = [
    ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
    ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
  ]
  const rsa = Promise.all([createKeyPair('RS256', 'rsa'), createKeyPair('RS256', 'rsa')])
  /** Two keys with the same kid. All RSA algorithms share theirs, since it takes long to generate one. */
  async function keyPairs(algorithm: AsymmetricAlgorithm): Promise<[KeyPair, KeyPair]> {
    if (!/^[RP]S/.test(algorithm)) {
      return [await createKeyPair(algorithm, 'one'), await createKeyPair(algorithm, 'one')]
    }
    const [one, two] = (await rsa).map((key) => ({ ...key, algorithm, jwk: { ...key.jwk, alg: algorithm } }))
    return [one!, two!]
  }
  for (const algorithm of algorithms) {
    test(`published keys verify ${algorithm} if it is allowed`, async (t: TestContext) => {
      const [key, another] = await keyPairs(algorithm)
      await using issuer = await LocalIssuer.start({ key })
      const options = { issuer: issuer.issuer, audience: 'api' }
      await using byDefault = await createApp(options)
      await using alone = await createApp({ ...options, algorithms: [algorithm] })
      await using others = await createApp({
        ...options,
        algorithms: algorithms.filter((other) => other !== algorithm),
      })
      const token = await issuer.token()
      t.assert.strictEqual(await outcome(byDefault, token), issuer.issuer)
      t.assert.strictEqual(await outcome(byDefault, await issuer.token()), issuer.issuer)
      t.assert.strictEqual(await outcome(alone, token), issuer.issuer)
      const fetched = issuer.fetches
      t.assert.strictEqual(await outcome(others, token), 'invalid_algorithm')
      t.assert.strictEqual(issuer.fetches, fetched)

      const forged = await issuer.token({ key: another })
      t.assert.strictEqual(await outcome(byDefault, forged), 'token_invalid_signature')
    })
  }

  for (const published of ['EdDSA', 'Ed25519', undefined]) {
    for (const allowed of ['EdDSA', 'Ed25519'] as const) {
      const title = `a key with alg ${published ?? 'missing'} verifies EdDSA and Ed25519 if ${allowed} is allowed`
      test(title, async (t: TestContext) => {
        const pair = await createKeyPair('EdDSA')
        await using issuer = await LocalIssuer.start({ key: pair })
        issuer.keys = [{ ...pair.jwk, alg: published }]
        await using app = await createApp({ issuer: issuer.issuer, audience: 'api', algorithms: [allowed] })
        for (const alg of ['EdDSA', 'Ed25519', 'EdDSA']) {
          const token = await sign(pair, issuer.claims(), { alg })
          t.assert.strictEqual(await outcome(app, token), issuer.issuer)
        }
        const forged = await sign(await createKeyPair('EdDSA', pair.jwk.kid), issuer.claims(), {
          alg: 'Ed25519',
        })
        t.assert.strictEqual(await outcome(app, forged), 'token_invalid_signature')
      })
    }
  }

  for (const kid of [null, 1, true, ['one'], { kid: 'one' }]) {
    test(`no key is looked for with the kid ${JSON.stringify(kid)}`, async (t: TestContext) => {
      await using issuer = await LocalIssuer.start()
      await using app = await createApp({ issuer: issuer.issuer, audience: 'api' })
      const response = await call(app, await issuer.token({ header: { kid } }))
      t.assert.strictEqual(readAnswer(response).message, 'Unable to find appropriate key')
      t.assert.deepStrictEqual(issuer.requests, [])
    })
  }
})

suite('a shared secret', () => {
  const algorithms: SecretAlgorithm[] = ['HS256', 'HS384', 'HS512']
  const lengths = { HS256: 32, HS384: 48, HS512: 64 }
  const secrets: [kind: string, make: (length: number) => string | Uint8Array][] = [
    ['text', (length) => randomBytes(length).toString('hex').slice(0, length)],
    ['text beyond ASCII', (length) => 'ü€😀 '.repeat(length)],
    ['text with white space around it', (length) => ` \n${'x'.repeat(length)}\t `],
    ['text of digits', (length) => '1'.repeat(length)],
    ['a Buffer', (length) => randomBytes(length)],
    ['a Uint8Array', (length) => new Uint8Array(randomBytes(length))],
    ['bytes that are no UTF-8', (length) => new Uint8Array(length).fill(0xff)],
    ['a part of a larger buffer', (length) => new Uint8Array(randomBytes(2 * length).buffer, 5, length)],
  ]
  for (const alg of algorithms) {
    for (const [kind, make] of secrets) {
      test(`a secret that is ${kind} verifies ${alg}`, async (t: TestContext) => {
        const secret = make(lengths[alg])
        await using app = await createApp({ issuer: 'shared', audience: 'api', secret, algorithms: [alg] })
        const claims = { iss: 'shared' }
        t.assert.strictEqual(await outcome(app, await signWithSecret(secret, claims, { alg })), 'shared')
        const another = await signWithSecret(randomBytes(64), claims, { alg })
        t.assert.strictEqual(await outcome(app, another), 'token_invalid_signature')
      })
    }

    test(`a secret verifies only the allowed algorithm: ${alg}`, async (t: TestContext) => {
      const secret = randomBytes(64)
      await using app = await createApp({ issuer: 'shared', audience: 'api', secret, algorithms: [alg] })
      for (const other of algorithms) {
        const token = await signWithSecret(secret, { iss: 'shared' }, { alg: other })
        t.assert.strictEqual(await outcome(app, token), other === alg ? 'shared' : 'invalid_algorithm')
      }
    })
  }

  test('a secret verifies only HS256 if no algorithms are configured', async (t: TestContext) => {
    const secret = randomBytes(64)
    await using app = await createApp({ issuer: 'shared', audience: 'api', secret })
    const outcomes = algorithms.map(async (alg) =>
      outcome(app, await signWithSecret(secret, { iss: 'shared' }, { alg })),
    )
    t.assert.deepStrictEqual(await Promise.all(outcomes), [
      'shared',
      'invalid_algorithm',
      'invalid_algorithm',
    ])
  })

  test('a secret verifies several algorithms if they are allowed', async (t: TestContext) => {
    const secret = randomBytes(64)
    await using app = await createApp({ issuer: 'shared', audience: 'api', secret, algorithms })
    for (const alg of [...algorithms, ...algorithms]) {
      t.assert.strictEqual(
        await outcome(app, await signWithSecret(secret, { iss: 'shared' }, { alg })),
        'shared',
      )
    }
  })

  test('a token that is signed with a secret needs no kid, and its kid has no effect', async (t: TestContext) => {
    const secret = randomBytes(32)
    await using app = await createApp({ issuer: 'shared', audience: 'api', secret })
    for (const kid of [undefined, 'one', '', 5, null, {}]) {
      const token = await signWithSecret(secret, { iss: 'shared' }, { kid: kid as string })
      t.assert.strictEqual(await outcome(app, token), 'shared')
    }
  })

  test('a secret never verifies a token of a published key, and a published key never one of a secret', async (t: TestContext) => {
    await using issuer = await LocalIssuer.start()
    const secret = randomBytes(64)
    await using shared = await createApp({ issuer: issuer.issuer, audience: 'api', secret })
    t.assert.strictEqual(await outcome(shared, await issuer.token()), 'invalid_algorithm')
    await using published = await createApp({ issuer: issuer.issuer, audience: 'api' })
    for (const alg of algorithms) {
      const token = await signWithSecret(secret, issuer.claims(), { alg, kid: issuer.key.jwk.kid })
      t.assert.strictEqual(await outcome(published, token), 'invalid_algorithm')
    }
    t.assert.deepStrictEqual(issuer.requests, [])
  })

  test('with a secret and jwksUri, HS tokens meet only the secret, and other tokens only the keys', async (t: TestContext) => {
    await using issuer = await LocalIssuer.start()
    const secret = randomBytes(64)
    const { jwksUri, key } = issuer
    await using app = await createApp({ issuer: issuer.issuer, audience: 'api', secret, jwksUri })
    const signedWith = (bytes: Uint8Array, alg = 'HS256'): Promise<string> =>
      signWithSecret(bytes, issuer.claims(), { alg, kid: key.jwk.kid })
    t.assert.strictEqual(await outcome(app, await signedWith(secret)), issuer.issuer)
    t.assert.deepStrictEqual(issuer.requests, [])
    t.assert.strictEqual(await outcome(app, await issuer.token()), issuer.issuer)
    const pem = createPublicKey({ key: key.jwk as JsonWebKey, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    }) as string
    for (const wrong of [randomBytes(64), Buffer.from(pem), Buffer.from(pem.trim()), Buffer.alloc(32)]) {
      t.assert.strictEqual(await outcome(app, await signedWith(wrong)), 'token_invalid_signature')
    }
    t.assert.strictEqual(await outcome(app, await signedWith(secret, 'HS384')), 'invalid_algorithm')
    const header = { alg: 'ES256', kid: key.jwk.kid }
    const hmac = await signedWith(secret)
    const [, claims, signature] = hmac.split('.') as [string, string, string]
    const relabelled = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${claims}.${signature}`
    t.assert.strictEqual(await outcome(app, relabelled), 'token_invalid_signature')
  })

  test('with a secret and jwksUri, cached tokens of both kinds work, and an outage ends only the keys', async (t: TestContext) => {
    await using issuer = await LocalIssuer.start()
    const secret = randomBytes(64)
    const { jwksUri } = issuer
    const jwks = { refreshInterval: 1, maxStale: 0 }
    await using app = await createApp({ issuer: issuer.issuer, audience: 'api', secret, jwksUri, jwks })
    const tokens = [await signWithSecret(secret, issuer.claims()), await issuer.token()]
    for (let round = 0; round < 4; round += 1) {
      for (const token of tokens) t.assert.strictEqual(await outcome(app, token), issuer.issuer)
    }
    t.assert.strictEqual(app.jwksStatus().length, 1)
    await issuer.close()
    t.assert.strictEqual(await outcome(app, tokens[0]!), issuer.issuer)
    t.assert.strictEqual(await outcome(app, tokens[1]!), 'jwks_unavailable')
  })

  test('a secret works with a domain', async (t: TestContext) => {
    const secret = randomBytes(32)
    await using app = await createApp({ domain: 'tenant.example', audience: 'client', secret })
    const token = (iss: string): Promise<string> => signWithSecret(secret, { iss, aud: 'client' })
    t.assert.strictEqual(
      await outcome(app, await token('https://tenant.example/')),
      'https://tenant.example/',
    )
    t.assert.strictEqual(await outcome(app, await token('https://tenant.example')), 'invalid_claims')
  })
})

suite('an unknown algorithm', () => {
  const names = [
    'none',
    'None',
    '',
    'RS1',
    'rs256',
    'ES256K',
    'Ed448',
    'HS1',
    'toString',
    '__proto__',
    'constructor',
  ]
  const options: [kind: string, algorithms?: JwsAlgorithm[]][] = [
    ['with the default algorithms'],
    ['with one allowed algorithm', ['ES256']],
  ]
  for (const alg of names) {
    test(`"${alg}" is no algorithm`, (t) => t.assert.equal(canonicalAlgorithm(alg), undefined))
  }

  for (const alg of [...names, null, 5, ['ES256'], undefined]) {
    for (const [kind, algorithms] of options) {
      test(`the algorithm ${JSON.stringify(alg)} is refused without a request, ${kind}`, async (t: TestContext) => {
        await using issuer = await LocalIssuer.start()
        await using app = await createApp({
          issuer: issuer.issuer,
          audience: 'api',
          ...(algorithms && { algorithms }),
        })
        const [, payload, signature] = (await issuer.token()).split('.')
        const header = Buffer.from(JSON.stringify({ alg, kid: issuer.key.jwk.kid })).toString('base64url')
        t.assert.strictEqual(await outcome(app, `${header}.${payload}.${signature}`), 'invalid_algorithm')
        t.assert.deepStrictEqual(issuer.requests, [])
      })
    }
  }
})
