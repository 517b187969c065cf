import { createPublicKey, type JsonWebKey } from 'node:crypto'
import type { Random } from './random.ts'
import { signWith, signWithSecret, type SigningKey } from './signing.ts'
import { kids } from './mutated-keys.ts'

type Json = Record<string, unknown>

/** What a token is made of, before it is signed. */
export interface Draft {
  readonly header: Json
  readonly claims: Json
  readonly key: SigningKey
  readonly secret: Uint8Array
  /** Seconds since the epoch. */
  readonly now: number
  readonly issuers: readonly string[]
}

const unlikely: readonly unknown[] = [null, undefined, '', 0, -1, true, [], {}, ['a'], 'text', 1e300]
const algorithms = [
  ...['RS256', 'RS384', 'PS256', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'HS256', 'HS512'],
  ...['none', 'None', 'es256', 'RS1', 'Ed448', 'ES256K', '', 'constructor'],
]

function nested(depth: number): unknown {
  return JSON.parse('['.repeat(depth) + ']'.repeat(depth))
}

type MutateDraft = (random: Random, draft: Draft) => void

const headerMutations: readonly MutateDraft[] = [
  (random, { header }) => (header.kid = random.pick(kids)),
  (random, { header }) => (header.kid = random.pick([...unlikely, 'unknown', 'ONE', 'one ', 'undefined'])),
  (random, { header }) => (header.alg = random.pick([...algorithms, ...unlikely])),
  (random, { header }) =>
    (header.typ = random.pick([
      ...['JWT', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'dpop+jwt', 'at+jwt ', 'x+y', 'at'],
      ...unlikely,
    ])),
  (random, { header }) => (header.crit = random.pick([['exp'], ['b64'], ...unlikely])),
  (_random, { header, key }) =>
    Object.assign(header, { jwk: key.jwk, jku: 'https://nope.invalid', x5c: ['MIIB'] }),
  (random, { header }) => (header.deep = nested(62 + random.below(4))),
  (random, { header }) => (header.cty = random.pick(unlikely)),
]

const claimMutations: readonly MutateDraft[] = [
  (random, { claims, issuers }) => (claims.iss = random.pick(issuers)),
  (random, { claims }) => {
    const iss = String(claims.iss)
    claims.iss = random.pick<unknown>([...unlikely, `${iss}/`, [iss], `${iss} `, iss.toUpperCase()])
  },
  (random, { claims }) =>
    (claims.aud = random.pick<unknown>([
      ...['api', 'web', 'API', 'api '],
      ...[['api'], ['web', 'api'], ['web'], ['api', 5], [['api']], ['web', null]],
      ...unlikely,
    ])),
  (random, { claims, now }) => (claims.exp = now + random.pick([-600, -6, -5, -4.5, -4, 0, 1, 1e10, -1e10])),
  (random, { claims, now }) => (claims.nbf = now + random.pick([-600, 0, 4, 4.5, 5, 5.5, 6, 600])),
  (random, { claims, now }) => (claims.iat = now + random.pick([-1e6, -600, 0, 4, 6, 600])),
  (random, { claims }) =>
    (claims[random.pick(['exp', 'nbf', 'iat', 'sub', 'jti', 'client_id'])] = random.pick([
      ...unlikely,
      '1700000000',
    ])),
  (random, { claims }) =>
    (claims[random.pick(['role', 'toString', 'constructor', '__proto__x', 'ключ', 'a"b'])] =
      random.pick(unlikely)),
  (random, { claims }) =>
    (claims.cnf = random.pick<unknown>([
      ...[{ jkt: 'A'.repeat(43) }, { jkt: 5 }, { 'x5t#S256': 'A'.repeat(43) }, { kid: 'one' }],
      ...unlikely,
    ])),
  (random, { claims }) => (claims.deep = nested(61 + random.below(5))),
  (random, { claims }) =>
    (claims.text = random.pick(['\ud800', '🔑', '\0', '[{'.repeat(40), '\\"', 'x'.repeat(3_000)])),
  (random, { claims }) => (claims.list = Array.from({ length: random.below(200) }, () => ({}))),
]

type MutateText = (random: Random, json: string) => string | Buffer

/** Mutations of the JSON text of the header or the claims. */
const textMutations: readonly MutateText[] = [
  (_random, json) => ` ${json}\n`,
  (_random, json) => `\ufeff${json}`,
  (random, json) => `${json.slice(0, -1)},"${random.pick(['iss', 'alg', 'aud', 'exp', 'kid'])}":"x"}`,
  (random, json) => `{"${random.pick(['iss', 'alg', 'aud', 'exp', 'kid'])}":"x",${json.slice(1)}`,
  (_random, json) => `${json.slice(0, -1)},"__proto__":{"aud":"api"}}`,
  (random, json) =>
    json.replace(/"(exp|iat|nbf)":[^,}]+/, `"$1":${random.pick(['1e999', '-1e999', '1e3', '"9e9"'])}`),
  (_random, json) => `[${json}]`,
  (random, json) => json.slice(0, random.below(json.length)),
  (_random, json) => `${json}{}`,
  (_random, json) => json.replace('"', "'"),
  (_random, json) => json.replace('e', String.raw`\u0065`),
  (random, json) => {
    const bytes = Buffer.from(json)
    bytes[random.below(bytes.length)] = random.below(256)
    return bytes
  },
]

/** Mutations of the signature. */
const signatureMutations: readonly ((
  random: Random,
  signature: Buffer,
  draft: Draft,
  content: string,
) => Buffer)[] = [
  (random, signature) => {
    const changed = Buffer.from(signature)
    if (changed.length > 0) changed[random.below(changed.length)]! ^= 1 << random.below(8)
    return changed
  },
  (_random, signature) => signature.subarray(1),
  (_random, signature) => signature.subarray(0, -1),
  (_random, signature) => Buffer.concat([Buffer.alloc(1), signature]),
  (_random, signature) => Buffer.concat([signature, Buffer.alloc(1)]),
  (_random, signature) => Buffer.alloc(signature.length),
  () => Buffer.alloc(0),
  (_random, signature) => Buffer.concat([signature, signature]),
  (_random, _signature, { key }, content) => {
    const pem = createPublicKey({ key: key.jwk as JsonWebKey, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    })
    return signWithSecret(pem as string, 'HS256', content)
  },
]

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('')

/** Mutations of the whole token. */
const tokenMutations: readonly ((random: Random, token: string) => string)[] = [
  (random, token) => {
    const index = random.below(token.length)
    return (
      token.slice(0, index) +
      random.pick([...alphabet, '+', '/', '=', '!', '.', '%']) +
      token.slice(index + 1)
    )
  },
  (random, token) => {
    const index = random.pick([...token.matchAll(/.(?=\.|$)/g)].map((match) => match.index))
    return token.slice(0, index) + random.pick(alphabet) + token.slice(index + 1)
  },
  (random, token) => token.replaceAll('.', random.pick(['..', '=.', '.A', '%2E'])),
  (random, token) =>
    token
      .split('.')
      .slice(0, 1 + random.below(3))
      .join('.'),
  (random, token) => `${token}${random.pick(['=', '==', '.', 'A', '.A', '-', '+'])}`,
  (random, token) => token.slice(0, random.below(token.length)),
]

function mutateText(random: Random, json: string, probability: number): string | Buffer {
  return random.chance(probability) ? random.pick(textMutations)(random, json) : json
}

/** The signature that the algorithm of the header asks for, or the one that the key can make. */
function signatureOf({ header, key, secret }: Draft, content: string): Buffer {
  const alg = String(header.alg)
  if (['HS256', 'HS384', 'HS512'].includes(alg)) return signWithSecret(secret, alg, content)
  if (alg.toLowerCase() === 'none') return Buffer.alloc(0)
  return signWith(key, key.algorithms.includes(alg) ? alg : key.algorithms[0]!, content)
}

/** Makes a token of a draft, which is changed. Two thirds of the tokens have a mutation, and some have several. */
export function mutatedToken(random: Random, draft: Draft): string {
  while (random.chance(0.15)) random.pick(headerMutations)(random, draft)
  while (random.chance(0.45)) random.pick(claimMutations)(random, draft)
  const [header, claims] = [draft.header, draft.claims].map((part) =>
    Buffer.from(mutateText(random, JSON.stringify(part), 0.06)).toString('base64url'),
  )
  const content = `${header}.${claims}`
  let signature = signatureOf(draft, content)
  if (random.chance(0.1)) signature = random.pick(signatureMutations)(random, signature, draft, content)
  const token = `${content}.${signature.toString('base64url')}`
  return random.chance(0.08) ? random.pick(tokenMutations)(random, token) : token
}
