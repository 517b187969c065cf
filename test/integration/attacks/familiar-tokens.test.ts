import { Verify } from 'node:crypto'
import { suite, test, type TestContext } from 'node:test'
import type { JwksAuthOptions } from '../../../lib/index.ts'
import { encodeToken, keySigner, secretSigner } from '../../../lib/testing/test-token.ts'
import { call, createApp, verdict } from '../../helpers/app.ts'
import { createKeyPair, now, LocalIssuer } from '../../helpers/issuer.ts'

/**
 * A server that has verified tokens before takes a short way with others that begin in the same way. Whatever comes: it answers as
 * one that has never seen a token.
 */

const key = await createKeyPair('ES256', 'known')
const stranger = await createKeyPair('ES256', 'known')
const issuer = await LocalIssuer.start({ key })
// Whose tokens have the same header as the issuer's, but for the signature.
const twin = await LocalIssuer.start({ key: await createKeyPair('ES256', 'known') })
test.after(() => Promise.all([issuer.close(), twin.close()]))

const issuers = [issuer, twin].map((one) => ({ issuer: one.issuer, audience: 'api' }))
const claims = { iss: issuer.issuer, sub: 'someone', aud: 'api', iat: now(), exp: now() + 600 }
const header = { alg: 'ES256', kid: 'known' }

const encode = (part: string | object): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** A token by a key, whatever stands in it: bytes, text, or an object. */
function signed(payload: string | object, by = key, head: object = header): string {
  const bytes = Buffer.isBuffer(payload) ? payload.toString('base64url') : encode(payload)
  const content = `${encode(head)}.${bytes}`
  return `${content}.${keySigner(by)(Buffer.from(content)).toString('base64url')}`
}

const good = signed(claims)
const [goodHeader, goodClaims, goodSignature] = good.split('.') as [string, string, string]
const json = JSON.stringify(claims)
const invalidUtf8 = Buffer.from(json)
invalidUtf8[invalidUtf8.indexOf('someone')] = 0xff

const tokens: Record<string, string> = {
  'a good token': good,
  'another good token': signed({ ...claims, sub: 'someone else' }),
  'a good token of the twin': signed({ ...claims, iss: twin.issuer }, twin.key),
  'a forged one': signed(claims, stranger),
  'one of the twin by the issuer’s key': signed({ ...claims, iss: twin.issuer }),
  'one of the issuer by the twin’s key': signed(claims, twin.key),
  'one that is signed for nobody': signed({ ...claims, iss: 'https://nobody.example.com/' }),
  'one that names the issuer first and the twin last': signed(`${json.slice(0, -1)},"iss":"${twin.issuer}"}`),
  'the same by the twin’s key': signed(`${json.slice(0, -1)},"iss":"${twin.issuer}"}`, twin.key),
  'one that names the issuer first and nobody last': signed(`${json.slice(0, -1)},"iss":null}`),
  'one that names the issuer twice': signed(`${json.slice(0, -1)},"iss":"${issuer.issuer}"}`),
  'one whose issuer is in a claim of it': signed({
    x: 1,
    act: { iss: issuer.issuer },
    ...claims,
    iss: twin.issuer,
  }),
  'one whose prototype names the issuer': signed(
    `{"iss":"${issuer.issuer}","__proto__":{"iss":"${twin.issuer}"},${json.slice(json.indexOf('"sub"'))}`,
  ),
  'one without claims': signed({ iss: issuer.issuer }),
  'one whose claims are no JSON': signed(`${json}}`),
  'one whose claims are cut off': signed(json.slice(0, -1)),
  'one whose claims are in a list': signed([claims]),
  'one whose claims are no UTF-8': signed(invalidUtf8),
  'one with a byte order mark': signed(`\ufeff${json}`),
  'one with spaces around its claims': signed(` ${json} `),
  'one with padding': `${goodHeader}.${goodClaims}=.${goodSignature}`,
  'one with a space in its claims': `${goodHeader}.${goodClaims} .${goodSignature}`,
  'one with a plus sign in its claims': `${goodHeader}.${goodClaims.replace(/.$/, '+')}.${goodSignature}`,
  'one with four parts': `${good}.`,
  'one with an empty part in between': `${goodHeader}.${goodClaims}..${goodSignature}`,
  'one without a signature': `${goodHeader}.${goodClaims}.`,
  'one with half of its signature': good.slice(0, -43),
  'one with loose bits in its signature': `${good.slice(0, -1)}${String.fromCharCode(good.charCodeAt(good.length - 1) + 1)}`,
  'one that is expired': signed({ ...claims, exp: now() - 60 }),
  'one that is expired, and forged': signed({ ...claims, exp: now() - 60 }, stranger),
  'one that is expired, for another audience': signed({ ...claims, exp: now() - 60, aud: 'web' }),
  'one that is not active yet': signed({ ...claims, nbf: now() + 60 }),
  'one for another audience': signed({ ...claims, aud: 'web' }),
  'one that expires never': signed({ ...claims, exp: undefined }),
  'one whose expiry is text': signed({ ...claims, exp: String(claims.exp) }),
  'one with another type': signed(claims, key, { ...header, typ: 'dpop+jwt' }),
  'one with crit': signed(claims, key, { ...header, crit: ['exp'], exp: 1 }),
  'one with another kid': signed(claims, key, { ...header, kid: 'unknown' }),
  'one without kid': signed(claims, key, { alg: 'ES256' }),
}

suite('a server that has seen tokens answers as one that has not', () => {
  for (const [title, token] of Object.entries(tokens)) {
    test(title, async (t) => {
      const answers: unknown[] = []
      for (const isFamiliar of [false, true]) {
        // A budget without bounds, so that an unknown kid is answered in the same way each time.
        const app = await createApp({ issuers, jwks: { cooldown: 0 } })
        if (isFamiliar) {
          for (const known of [tokens['a good token']!, tokens['a good token of the twin']!]) {
            for (let round = 0; round < 3; round += 1) await call(app, known)
          }
        }
        const rounds = []
        for (let round = 0; round < 4; round += 1) {
          const response = await call(app, token)
          rounds.push(response.statusCode === 200 ? response.json() : verdict(response))
        }
        t.assert.deepEqual(new Set(rounds.map((answer) => JSON.stringify(answer))).size, 1)
        answers.push(rounds[0])
        await app.close()
      }
      t.assert.deepEqual(answers[1], answers[0])
    })
  }

  test('and most of them are refused', async (t) => {
    const app = await createApp({ issuers })
    t.after(() => app.close())
    const accepted: string[] = []
    for (const [title, token] of Object.entries(tokens)) {
      if ((await call(app, token)).statusCode === 200) accepted.push(title)
    }
    t.assert.deepEqual(accepted, [
      'a good token',
      'another good token',
      'a good token of the twin',
      'the same by the twin’s key',
      'one that names the issuer twice',
      'one whose prototype names the issuer',
      'one with spaces around its claims',
    ])
  })
})

suite('verifications', () => {
  /** How often a signature is looked at for a token, by a server that has seen those that are known. */
  async function count(t: TestContext, token: string): Promise<number> {
    const app = await createApp({ issuers })
    t.after(() => app.close())
    for (const known of [tokens['a good token']!, tokens['a good token of the twin']!]) await call(app, known)
    const { mock } = t.mock.method(Verify.prototype, 'verify')
    await call(app, token)
    const calls = mock.callCount()
    mock.restore()
    return calls
  }

  for (const title of [
    'another good token',
    'a good token of the twin',
    'a forged one',
    'one for another audience',
  ]) {
    test(`${title} costs one`, async (t) => t.assert.equal(await count(t, tokens[title]!), 1))
  }

  test('one that names two issuers costs one for each that has a key for its header', async (t) => {
    t.assert.equal(await count(t, tokens['one that names the issuer first and the twin last']!), 2)
  })

  for (const [title, token] of Object.entries(tokens)) {
    if (title.includes('the twin last') || title.startsWith('the same')) continue
    test(`${title} costs one at most`, async (t: TestContext) => {
      t.assert.ok((await count(t, token)) <= 1)
    })
  }
})

suite('a familiar token is read once, by who verifies it', () => {
  const secret = 'a shared secret of enough bytes for HS256'
  const kinds: [
    title: string,
    options: (one: LocalIssuer) => object,
    algorithm: 'ES256' | 'EdDSA' | 'RS256' | 'HS256',
  ][] = [
    ['ES256', (one) => ({ issuer: one.issuer, audience: 'api' }), 'ES256'],
    ['EdDSA', (one) => ({ issuer: one.issuer, audience: 'api' }), 'EdDSA'],
    ['RS256', (one) => ({ issuer: one.issuer, audience: 'api' }), 'RS256'],
    ['HS256', (one) => ({ issuer: one.issuer, audience: 'api', secret }), 'HS256'],
    [
      'an issuer that a function finds',
      (one) => ({ issuers: () => ({ issuer: one.issuer, audience: 'api' }) }),
      'ES256',
    ],
  ]
  for (const [title, options, algorithm] of kinds) {
    test(title, async (t) => {
      const isSecret = algorithm === 'HS256'
      const pair = await createKeyPair(isSecret ? 'ES256' : algorithm, 'known')
      await using one = await LocalIssuer.start({ key: pair })
      const app = await createApp(options(one) as JwksAuthOptions)
      t.after(() => app.close())
      const signer = isSecret ? secretSigner('HS256', secret) : keySigner(pair)
      const token = (sub: string): string =>
        encodeToken({ alg: algorithm, kid: 'known' }, one.claims({ sub }), signer)
      const userOf = async (sub: string): Promise<unknown> => (await call(app, token(sub))).json()
      await userOf('first')
      const { mock } = t.mock.method(JSON, 'parse')
      await call(app, token('second'))
      // Header and claims, by fast-jwt.
      t.assert.equal(mock.callCount(), 2)
      mock.restore()
      t.assert.equal(((await userOf('third')) as { user: { sub: string } }).user.sub, 'third')
      t.assert.equal(
        verdict(await call(app, `${token('fourth').slice(0, -9)}AAAAAAAAA`)).code,
        'token_invalid_signature',
      )
    })
  }
})
