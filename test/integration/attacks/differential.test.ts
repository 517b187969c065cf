import { randomBytes, randomInt } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance } from 'fastify'
import type { IssuerOptions, JwksAuthOptions } from '../../../lib/index.ts'
import { call, createApp } from '../../helpers/app.ts'
import type { PublishedKey } from '../../helpers/jwk.ts'
import { mutatedKeySet } from '../../helpers/mutated-keys.ts'
import { mutatedToken, type Draft } from '../../helpers/mutated-tokens.ts'
import { Random } from '../../helpers/random.ts'
import { createSigningKey, type SigningKey } from '../../helpers/signing.ts'
import { verifyStrictly, type StrictIssuer } from '../../helpers/strict-verifier.ts'

/**
 * The plugin and a strict verifier that is built on jose judge the same tokens: with changed headers, claims, signatures, keys and issuers,
 * with and without known keys, with and without the cache. The seed decides everything but the key material. To repeat a run:
 * FUZZ_SEED=1 FUZZ_TOKENS=10000 npm test -- differential
 */
const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31))
const count = Number(process.env.FUZZ_TOKENS ?? 2_000)

const tokensPerRound = 100
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const secret = randomBytes(64)

/** The issuers without their keys. */
const issuers: readonly Omit<StrictIssuer, 'keys'>[] = [
  { issuer: 'https://id.example/a', audience: ['api'], algorithms: asymmetric },
  {
    issuer: 'https://id.example/b',
    audience: ['web', 'api'],
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    requiredClaims: ['role'],
  },
  { issuer: 'https://id.example/c', audience: ['api'], algorithms: ['HS256', ...asymmetric], secret },
  { issuer: 'https://id.example/d', audience: ['api'], algorithms: ['HS256', 'HS512'], secret },
  { issuer: 'https://id.example/e', audience: ['api'], algorithms: asymmetric, profile: 'rfc9068' },
]

function publishesKeys({ algorithms }: Pick<StrictIssuer, 'algorithms'>): boolean {
  return algorithms.some((name) => asymmetric.includes(name))
}

/** Another set of keys for each issuer in each round. One key of each set is always usable, since a set without one is an outage. */
class Publisher {
  readonly sets = new Map<string, readonly unknown[]>()
  readonly keys: readonly SigningKey[] = [
    ...['RS256', 'RS256', 'ES256', 'ES256', 'ES256', 'ES384', 'EdDSA', 'EdDSA'].map((algorithm) =>
      createSigningKey(algorithm),
    ),
    createSigningKey('RS256', 1_536),
  ]
  readonly #anchor = createSigningKey('ES512')

  publish(random: Random): void {
    for (const { issuer } of issuers) {
      const set = mutatedKeySet(random, this.keys, issuer)
      set.splice(random.below(set.length), 0, { ...this.#anchor.jwk, kid: 'anchor', alg: 'ES512' })
      this.sets.set(issuer, set)
    }
  }

  /** The private key of a published one. */
  signerOf(jwk: PublishedKey): SigningKey | undefined {
    return this.keys.find((key) => (key.jwk.n ?? key.jwk.x) === (jwk.n ?? jwk.x))
  }
}

function draftOf(random: Random, publisher: Publisher, now: number): Draft {
  const { issuer, secret: shared, algorithms, profile } = random.pick(issuers)
  const jwk = random.pick(publisher.sets.get(issuer)!) as PublishedKey | null
  const key = (jwk && publisher.signerOf(jwk)) ?? random.pick(publisher.keys)
  const usesSecret =
    shared !== undefined &&
    random.chance(algorithms.some((name) => key.algorithms.includes(name)) ? 0.5 : 0.9)
  const fitting = algorithms.filter((name) =>
    usesSecret ? name.startsWith('HS') : key.algorithms.includes(name),
  )
  const published = fitting.includes(String(jwk?.alg)) && random.chance(0.9) ? jwk?.alg : undefined
  const alg = published ?? random.pick(fitting.length > 0 && random.chance(0.9) ? fitting : key.algorithms)
  return {
    header: {
      alg,
      ...(typeof jwk?.kid === 'string' && random.chance(0.9) && { kid: jwk.kid }),
      typ: profile ? 'at+jwt' : 'JWT',
    },
    claims: {
      ...{ iss: issuer, aud: 'api', sub: 'someone', role: 'user' },
      ...{ iat: now, nbf: now, exp: now + 600, jti: `${random.below(1e9)}`, client_id: 'client' },
    },
    key,
    secret,
    now,
    issuers: issuers.map(({ issuer }) => issuer),
  }
}

interface Verdict {
  readonly status: number
  readonly code: unknown
  readonly user: string
}

async function verdictOf(app: FastifyInstance, token: string): Promise<Verdict> {
  const response = await call(app, token)
  const { code, user } = response.json<{ code?: string; user?: object }>()
  return { status: response.statusCode, code, user: JSON.stringify(user) }
}

test('the plugin and a strict verifier judge thousands of changed tokens alike', async (t: TestContext) => {
  t.diagnostic(`the seed is ${seed}: FUZZ_SEED=${seed} FUZZ_TOKENS=${count}`)
  const random = new Random(seed)
  const publisher = new Publisher()
  const server = createServer((request, response) => {
    response.end(JSON.stringify({ keys: publisher.sets.get(`https://id.example${request.url}`) }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const optionsOf = ({ algorithms, audience, ...rest }: Omit<StrictIssuer, 'keys'>): IssuerOptions => ({
    ...rest,
    ...{ audience, algorithms: algorithms as NonNullable<IssuerOptions['algorithms']> },
    ...(publishesKeys({ algorithms }) && { jwksUri: rest.issuer.replace('https://id.example', origin) }),
  })
  const start = (cache?: false): Promise<FastifyInstance> =>
    createApp({ issuers: issuers.map(optionsOf), ...(cache === false && { cache }) } as JwksAuthOptions)
  const [cached, uncached] = [await start(), await start(false)]
  t.after(async () => {
    await Promise.all([cached.close(), uncached.close()])
    server.close()
  })

  let now = Math.floor(Date.now() / 1000)
  const { now: readClock } = Date
  // A mock would remember each of the many calls.
  Date.now = () => now * 1000
  t.after(() => {
    Date.now = readClock
  })
  const earlier: string[] = []
  let accepted = 0
  for (let index = 0; index < count; index += 1) {
    if (index % tokensPerRound === 0) {
      // The keys that the applications know are then too old.
      now += 301
      publisher.publish(random)
    }
    const isRepeated = earlier.length > 0 && random.chance(0.1)
    const token = isRepeated ? random.pick(earlier) : mutatedToken(random, draftOf(random, publisher, now))
    earlier[index % 200] = token
    const strict = issuers.map((issuer) => ({
      ...issuer,
      keys: publishesKeys(issuer) ? publisher.sets.get(issuer.issuer)! : [],
    }))
    const claims = await verifyStrictly(token, strict, now)
    const expected = claims ? { status: 200, user: JSON.stringify(claims) } : { status: 401, user: undefined }
    const apps = [uncached, cached, cached, cached]
    const cold = index % 20 === 0 ? await start() : undefined
    if (cold) apps.push(cold)
    const verdicts: Verdict[] = []
    for (const app of apps) verdicts.push(await verdictOf(app, token))
    await cold?.close()
    const [{ code }] = verdicts as [Verdict]
    if (!verdicts.every((verdict) => isDeepStrictEqual(verdict, { ...expected, code }))) {
      const keys = Object.fromEntries(publisher.sets)
      t.assert.fail(JSON.stringify({ seed, index, token, keys, now, expected, verdicts }, undefined, 1))
    }
    if (claims) accepted += 1
  }
  // Otherwise the comparison would say little.
  t.assert.ok(accepted > count / 10 && accepted < count * 0.9, `${accepted} of ${count} tokens were accepted`)
})
