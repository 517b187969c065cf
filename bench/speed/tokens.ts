import { randomUUID, sign as signWithCallback } from 'node:crypto'
import { promisify } from 'node:util'
import type { IssuerData } from '../contestant.ts'
import type { Algorithm, Key } from '../issuer.ts'

const sign = promisify(signWithCallback)

/** The number of users whose tokens are sent again and again. */
export const users = 200

export interface Parts {
  readonly header?: object
  readonly claims?: object
}

/** A token like those of common providers: 11 claims, about 770 bytes with ES256 and EdDSA, 1,020 with RS256. */
export async function createToken(
  issuer: IssuerData,
  key: Key,
  user: number,
  parts: Parts = {},
): Promise<string> {
  const iat = Math.floor(Date.now() / 1000)
  const header = { alg: key.alg, typ: 'at+jwt', kid: key.kid, ...parts.header }
  const claims = {
    iss: issuer.issuer,
    sub: `auth0|65f0c1d2e3b4a596${String(user).padStart(8, '0')}`,
    aud: [issuer.audience, 'https://tenant.example.com/userinfo'],
    iat,
    exp: iat + 24 * 60 * 60,
    azp: 'pZ3hXq0vT7mLr9KfWcYbN2sEuJd8GaQi',
    client_id: 'pZ3hXq0vT7mLr9KfWcYbN2sEuJd8GaQi',
    jti: randomUUID(),
    scope: 'openid profile email read:orders write:orders',
    org_id: 'org_9ybsU1dN2dKfDkBi',
    permissions: ['read:orders', 'write:orders'],
    ...parts.claims,
  }
  const content = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const signature = await sign(hashOf(key.alg), Buffer.from(content), {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363',
  })
  return `${content}.${signature.toString('base64url')}`
}

/** Tokens of different users, signed on all cores. */
export async function createTokens(issuer: IssuerData, key: Key, count: number): Promise<string[]> {
  const tokens: string[] = []
  while (tokens.length < count) {
    const batch = Array.from({ length: Math.min(1000, count - tokens.length) }, (_, index) =>
      createToken(issuer, key, tokens.length + index),
    )
    tokens.push(...(await Promise.all(batch)))
  }
  return tokens
}

/** The token with a wrong signature, which depends on `n`. */
export function forge(token: string, n: number): string {
  const start = token.lastIndexOf('.') + 1
  const noise = Buffer.alloc(6)
  noise.writeUIntBE(n, 0, 6)
  return token.slice(0, start) + noise.toString('base64url') + token.slice(start + 8)
}

/** The digest for `crypto.verify`. Undefined if the algorithm includes its digest. */
export function hashOf(alg: Algorithm): string | undefined {
  return alg === 'EdDSA' ? undefined : 'sha256'
}

export interface Refused {
  readonly name: string
  /** Authorization headers; `undefined` for a request without one. */
  readonly headers: readonly (string | undefined)[]
}

/** Requests that every contestant must refuse, by the reason. */
export async function createRefused(issuer: IssuerData, key: Key, unknownKey: Key): Promise<Refused[]> {
  const many = async (parts: Parts, signer = key): Promise<string[]> =>
    Promise.all(
      Array.from(
        { length: 200 },
        async (_, user) => `Bearer ${await createToken(issuer, signer, user, parts)}`,
      ),
    )
  const good = await many({})
  return [
    { name: 'no header', headers: [undefined] },
    { name: 'malformed header', headers: ['Bearer a b'] },
    { name: 'unreadable token', headers: ['Bearer not-a-token', 'Bearer e30.e30', 'Bearer ab.cd.ef'] },
    { name: 'unknown issuer', headers: await many({ claims: { iss: 'https://another.example.com/' } }) },
    { name: 'algorithm not allowed', headers: await many({ header: { alg: 'HS256' } }) },
    { name: 'unknown kid', headers: await many({}, unknownKey) },
    { name: 'expired', headers: await many({ claims: { iat: 1_700_000_000, exp: 1_700_086_400 } }) },
    { name: 'forged signature', headers: good.map((header, index) => forge(header, index)) },
    { name: 'wrong audience', headers: await many({ claims: { aud: 'https://another.example.com' } }) },
  ]
}
