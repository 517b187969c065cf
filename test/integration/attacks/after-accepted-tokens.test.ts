import { suite, test } from 'node:test'
import type { JwksAuthOptions } from '../../../lib/index.ts'
import { encodeToken, keySigner, secretSigner } from '../../../lib/testing/test-token.ts'
import { call, createApp, readAnswer } from '../../helpers/app.ts'
import { createKeyPair, now, LocalIssuer } from '../../helpers/issuer.ts'

/** Accepted tokens, which may be cached, must not change the answers to other tokens. */

const key = await createKeyPair('ES256', 'shared kid')
const attacker = await createKeyPair('ES256', 'shared kid')
const issuer = await LocalIssuer.start({ key })
// The tokens of both issuers have the same header.
const other = await LocalIssuer.start({ key: await createKeyPair('ES256', 'shared kid') })
test.after(() => Promise.all([issuer.close(), other.close()]))

const issuers = [issuer, other].map((one) => ({ issuer: one.issuer, audience: 'api' }))
const claims = { iss: issuer.issuer, sub: 'someone', aud: 'api', iat: now(), exp: now() + 600 }
const header = { alg: 'ES256', kid: 'shared kid' }

const encode = (part: string | object): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** Signs a token with any payload: bytes, text or an object. */
function signed(payload: string | object, by = key, head: object = header): string {
  const bytes = Buffer.isBuffer(payload) ? payload.toString('base64url') : encode(payload)
  const content = `${encode(head)}.${bytes}`
  return `${content}.${keySigner(by)(Buffer.from(content)).toString('base64url')}`
}

const valid = signed(claims)
const [validHeader, validClaims, validSignature] = valid.split('.') as [string, string, string]
const json = JSON.stringify(claims)
const invalidUtf8 = Buffer.from(json)
invalidUtf8[invalidUtf8.indexOf('someone')] = 0xff

const tokens: Record<string, string> = {
  'a valid token': valid,
  'another valid token': signed({ ...claims, sub: 'someone else' }),
  'a valid token of the other issuer': signed({ ...claims, iss: other.issuer }, other.key),
  'a token with a forged signature': signed(claims, attacker),
  'a token of the other issuer with the key of the issuer': signed({ ...claims, iss: other.issuer }),
  'a token of the issuer with the key of the other issuer': signed(claims, other.key),
  'a token of an unknown issuer': signed({ ...claims, iss: 'https://unknown.example.com/' }),
  'a token that names the issuer first and the other issuer last': signed(
    `${json.slice(0, -1)},"iss":"${other.issuer}"}`,
  ),
  'the same token with the key of the other issuer': signed(
    `${json.slice(0, -1)},"iss":"${other.issuer}"}`,
    other.key,
  ),
  'a token that names the issuer first and null last': signed(`${json.slice(0, -1)},"iss":null}`),
  'a token that names the issuer twice': signed(`${json.slice(0, -1)},"iss":"${issuer.issuer}"}`),
  'a token that names the issuer inside another claim': signed({
    x: 1,
    act: { iss: issuer.issuer },
    ...claims,
    iss: other.issuer,
  }),
  'a token that names the other issuer in __proto__': signed(
    `{"iss":"${issuer.issuer}","__proto__":{"iss":"${other.issuer}"},${json.slice(json.indexOf('"sub"'))}`,
  ),
  'a token without other claims than iss': signed({ iss: issuer.issuer }),
  'a token whose claims are not JSON': signed(`${json}}`),
  'a token whose claims are cut off': signed(json.slice(0, -1)),
  'a token whose claims are in a list': signed([claims]),
  'a token whose claims are not UTF-8': signed(invalidUtf8),
  'a token with a byte order mark': signed(`\ufeff${json}`),
  'a token with spaces around its claims': signed(` ${json} `),
  'a token with padding': `${validHeader}.${validClaims}=.${validSignature}`,
  'a token with a space in its claims': `${validHeader}.${validClaims} .${validSignature}`,
  'a token with a plus sign in its claims': `${validHeader}.${validClaims.replace(/.$/, '+')}.${validSignature}`,
  'a token with four parts': `${valid}.`,
  'a token with an empty part in between': `${validHeader}.${validClaims}..${validSignature}`,
  'a token without a signature': `${validHeader}.${validClaims}.`,
  'a token with half of its signature': valid.slice(0, -43),
  'a token with unused bits in its signature': `${valid.slice(0, -1)}${String.fromCharCode(valid.charCodeAt(valid.length - 1) + 1)}`,
  'an expired token': signed({ ...claims, exp: now() - 60 }),
  'an expired token with a forged signature': signed({ ...claims, exp: now() - 60 }, attacker),
  'an expired token for another audience': signed({ ...claims, exp: now() - 60, aud: 'web' }),
  'a token that is not active yet': signed({ ...claims, nbf: now() + 60 }),
  'a token for another audience': signed({ ...claims, aud: 'web' }),
  'a token without exp': signed({ ...claims, exp: undefined }),
  'a token whose exp is text': signed({ ...claims, exp: String(claims.exp) }),
  'a token with another typ': signed(claims, key, { ...header, typ: 'dpop+jwt' }),
  'a token with crit': signed(claims, key, { ...header, crit: ['exp'], exp: 1 }),
  'a token with another kid': signed(claims, key, { ...header, kid: 'unknown' }),
  'a token without kid': signed(claims, key, { alg: 'ES256' }),
}

suite('answers after accepted tokens', () => {
  for (const [title, token] of Object.entries(tokens)) {
    test(`${title} is answered the same before and after other tokens were accepted`, async (t) => {
      const answers: unknown[] = []
      for (const hasAccepted of [false, true]) {
        // Without a cooldown, an unknown kid is answered in the same way each time.
        const app = await createApp({ issuers, jwks: { cooldown: 0 } })
        if (hasAccepted) {
          for (const accepted of [tokens['a valid token']!, tokens['a valid token of the other issuer']!]) {
            for (let round = 0; round < 3; round += 1) await call(app, accepted)
          }
        }
        const rounds = []
        for (let round = 0; round < 4; round += 1) {
          const response = await call(app, token)
          rounds.push(response.statusCode === 200 ? response.json() : readAnswer(response))
        }
        t.assert.deepEqual(new Set(rounds.map((answer) => JSON.stringify(answer))).size, 1)
        answers.push(rounds[0])
        await app.close()
      }
      t.assert.deepEqual(answers[1], answers[0])
    })
  }

  test('only the valid ones of the tested tokens are accepted', async (t) => {
    const app = await createApp({ issuers })
    t.after(() => app.close())
    const accepted: string[] = []
    for (const [title, token] of Object.entries(tokens)) {
      if ((await call(app, token)).statusCode === 200) accepted.push(title)
    }
    t.assert.deepEqual(accepted, [
      'a valid token',
      'another valid token',
      'a valid token of the other issuer',
      'the same token with the key of the other issuer',
      'a token that names the issuer twice',
      'a token that names the other issuer in __proto__',
      'a token with spaces around its claims',
      'a token without kid',
    ])
  })
})

suite('tokens after an accepted one', () => {
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
      'an issuer that a function returned',
      (one) => ({ issuers: () => ({ issuer: one.issuer, audience: 'api' }) }),
      'ES256',
    ],
  ]
  for (const [title, options, algorithm] of kinds) {
    test(`after an accepted token of ${title}, another one is accepted and a forged one is refused`, async (t) => {
      const isSecret = algorithm === 'HS256'
      const pair = await createKeyPair(isSecret ? 'ES256' : algorithm, 'shared kid')
      await using one = await LocalIssuer.start({ key: pair })
      const app = await createApp(options(one) as JwksAuthOptions)
      t.after(() => app.close())
      const signer = isSecret ? secretSigner('HS256', secret) : keySigner(pair)
      const token = (sub: string): string =>
        encodeToken({ alg: algorithm, kid: 'shared kid' }, one.claims({ sub }), signer)
      for (const sub of ['first', 'second']) {
        const accepted = await call(app, token(sub))
        t.assert.equal(accepted.json<{ user: { sub: string } }>().user.sub, sub)
      }
      const forged = await call(app, `${token('third').slice(0, -9)}AAAAAAAAA`)
      t.assert.equal(readAnswer(forged).code, 'token_invalid_signature')
    })
  }
})
