import { rsaKey, type PublishedKey } from './jwk.ts'
import type { Random } from './random.ts'
import type { SigningKey } from './signing.ts'

/** The `kid`s of keys and tokens. They are few, so that keys share them. */
export const kids: readonly unknown[] = ['one', 'two', 'three', 'four', 'five', '', undefined]

type Mutate = (random: Random, jwk: PublishedKey, issuer: string) => PublishedKey

const mutations: readonly Mutate[] = [
  (random, jwk) => ({ ...jwk, use: random.pick<unknown>(['sig', 'enc', 'SIG', null, '']) }),
  (random, jwk) => ({ ...jwk, key_ops: random.pick<unknown>([['verify'], ['sign'], [], 'verify', null]) }),
  (random, jwk) => ({
    ...jwk,
    alg: random.pick<unknown>(['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519', 'HS256', 'RSA-OAEP', null]),
  }),
  (random, jwk) => ({ ...jwk, kid: random.pick<unknown>([1, null, 'ONE', 'undefined', '\ud800']) }),
  (random, jwk) => ({
    ...jwk,
    [random.pick(['d', 'p', 'k', 'oth'])]: random.pick<unknown>(['AQ', null, '']),
  }),
  (random, jwk, issuer) => ({
    ...jwk,
    issuer: random.pick<unknown>([
      issuer,
      issuer.replace(/[^/]+$/, '{tenantid}'),
      issuer.replace(/\/[^/]+$/, '/{tenantid}'),
      `${issuer}/`,
      `${issuer}/{tenantid}`,
      '{tenantid}',
      null,
      'https://other.example',
    ]),
  }),
  (random, jwk) => ({
    ...jwk,
    crv: random.pick(['P-256', 'P-384', 'secp256k1', 'Ed25519', 'Ed448', 'X25519']),
  }),
  (random, jwk) => ({ ...jwk, kty: random.pick(['RSA', 'EC', 'OKP', 'oct', 'rsa', undefined]) }),
  (random, jwk) => ({ ...jwk, x: random.pick<unknown>([jwk.y ?? 'AQ', undefined, '']) }),
  (random, jwk) => ({ ...jwk, x5c: ['MIIB'], x5u: 'https://nope.invalid', exp: random.below(2) }),
]

/** Members of a set that are no usable keys. */
const junk: readonly unknown[] = [
  null,
  'a string',
  [],
  {},
  { kty: 'oct', k: 'AQ', kid: 'one', alg: 'HS256' },
  { ...rsaKey({ kid: 'one' }), e: 'AQAAAAE' },
  rsaKey({ kid: 'one', alg: 'RS256' }, 8_200),
  rsaKey({ kid: 'two' }, 2_040),
]

/** A random JWK Set with some of these keys. */
export function mutatedKeySet(random: Random, keys: readonly SigningKey[], issuer: string): unknown[] {
  const set: unknown[] = []
  const size = 1 + random.below(8)
  for (let index = 0; index < size; index += 1) {
    let jwk: PublishedKey = { ...random.pick(keys).jwk }
    const kid = random.pick(kids)
    if (kid !== undefined) jwk.kid = kid
    while (random.chance(0.15)) jwk = random.pick(mutations)(random, jwk, issuer)
    set.push(jwk)
    if (random.chance(0.1)) set.push({ ...jwk })
    if (random.chance(0.1)) set.push(random.pick(junk))
  }
  return JSON.parse(JSON.stringify(set)) as unknown[]
}
