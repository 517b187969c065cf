import { createPublicKey, verify, type JsonWebKey, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { json } from 'node:stream/consumers'
import { createVerifier, type Algorithm } from 'fast-jwt'
import type { Contestant } from '../contestant.ts'
import { startFastify, unauthorized } from './fastify.ts'

// No more than a signature: the one key of the issuer, no claims, nothing kept. What others add is measured by it.

type IsGood = (token: string) => boolean

function recipe(verifierFor: (key: KeyObject, alg: string) => IsGood): Contestant {
  return {
    start: ({ jwksUri }) =>
      startFastify(async () => {
        // Not by fetch, after which every request to a server is dearer.
        const [response] = (await once(get(jwksUri, { agent: false }), 'response')) as [IncomingMessage]
        const [jwk] = ((await json(response)) as { keys: [JsonWebKey & { alg: string }] }).keys
        const isGood = verifierFor(createPublicKey({ key: jwk, format: 'jwk' }), jwk.alg)
        return async ({ headers: { authorization = '' } }) => {
          if (!isGood(authorization.slice('Bearer '.length))) throw unauthorized('signature')
        }
      }),
  }
}

export const byCrypto: Contestant = recipe((publicKey, alg) => {
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const }
  const hash = alg === 'EdDSA' ? undefined : 'sha256'
  return (token) => {
    const dot = token.lastIndexOf('.')
    const content = Buffer.from(token.slice(0, dot))
    return verify(hash, content, key, Buffer.from(token.slice(dot + 1), 'base64url'))
  }
})

export const byFastJwt: Contestant = recipe((publicKey, alg) => {
  const key = publicKey.export({ type: 'spki', format: 'pem' }) as string
  const isGood = createVerifier({ key, algorithms: [alg as Algorithm], cache: false })
  return (token) => Boolean(isGood(token))
})
