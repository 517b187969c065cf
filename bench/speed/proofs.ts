import { createHash, randomUUID, sign as signWithCallback } from 'node:crypto'
import { promisify } from 'node:util'
import type { IssuerData } from '../contestant.ts'
import { createKey, type Algorithm, type Key } from '../issuer.ts'
import type { Proofs } from './pair-child.ts'
import { createToken, hashOf } from './tokens.ts'

const sign = promisify(signWithCallback)

/** DPoP proofs of one client for one request, and the token that is bound to its key. */
export async function createProofs(
  issuer: IssuerData,
  issuerKey: Key,
  algorithm: Algorithm,
  count: number,
): Promise<Proofs> {
  const key = createKey(algorithm)
  const { kty, crv, x, y } = key.jwk as Record<string, string>
  const jwk = { kty, crv, x, y }
  const jkt = sha256(JSON.stringify({ crv, kty, x, y }))
  const token = await createToken(issuer, issuerKey, 0, { claims: { cnf: { jkt } } })
  const header = encode({ typ: 'dpop+jwt', alg: key.alg, jwk })
  const claims = { htm: 'GET', htu: 'https://api.example.com/held', ath: sha256(token) }
  const iat = Math.floor(Date.now() / 1000)
  const list: string[] = []
  for (let index = 0; index < count; index += 1) {
    const content = `${header}.${encode({ jti: randomUUID(), iat, ...claims })}`
    const signature = await sign(hashOf(key.alg), Buffer.from(content), {
      key: key.privateKey,
      dsaEncoding: 'ieee-p1363',
    })
    list.push(`${content}.${signature.toString('base64url')}`)
  }
  return { token, jwk, list }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
