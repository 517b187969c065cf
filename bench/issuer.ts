import {
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign,
  type KeyObject,
} from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Certificate } from './certificate.ts'
import type { IssuerData } from './contestant.ts'

export type Algorithm = 'RS256' | 'ES256' | 'EdDSA'

export interface Key {
  readonly alg: Algorithm
  readonly kid: string
  readonly privateKey: KeyObject
  /** The published public key. */
  readonly jwk: object
}

const years = 365 * 24 * 60 * 60
const jwksPath = '/.well-known/jwks.json'
const metadataPath = '/.well-known/openid-configuration'

const keyPairs = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
}

export function createKey(alg: Algorithm = 'RS256'): Key {
  const kid = randomUUID()
  const pair = keyPairs[alg]()
  // Through PEM, because Node may hang when a generated key is exported as a JWK.
  const publicKey = createPublicKey(pair.publicKey.export({ type: 'spki', format: 'pem' }))
  return {
    alg,
    kid,
    privateKey: pair.privateKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
  }
}

/** An issuer on loopback, whose behaviour can be changed at any time. It uses https because some contestants require it. */
export class Issuer {
  /** The keys of the JWK Set. */
  keys: Key[] = []
  /** How often the JWK Set was requested. */
  fetches = 0
  /** Requests that were not answered yet. */
  pending = 0
  /** Whether requests for the JWK Set get no response. */
  hangs = false
  /** Milliseconds before each response. */
  latency = 0
  readonly certificate: Certificate
  readonly #server: Server
  #port = 0

  private constructor(certificate: Certificate) {
    this.certificate = certificate
    const { key, cert } = certificate
    this.#server = createServer({ key, cert }, (request, response) => this.#answer(request, response))
  }

  static async start(certificate: Certificate): Promise<Issuer> {
    const issuer = new Issuer(certificate)
    await issuer.goUp()
    return issuer
  }

  get data(): IssuerData {
    const issuer = `https://127.0.0.1:${this.#port}/`
    return { issuer, jwksUri: new URL(jwksPath, issuer).href, audience: 'https://api.example.com' }
  }

  async goUp(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Connections are refused from now on. */
  async goDown(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goDown()
  }

  /** A token that stays valid for years, so that only its key matters. */
  token({ kid, privateKey }: Key): string {
    const content = this.#unsigned(kid)
    return `${content}.${sign('sha256', Buffer.from(content), privateKey).toString('base64url')}`
  }

  /** A token with an unknown kid, different each time. */
  bogusToken(): string {
    return `${this.#unsigned(randomUUID())}.${randomBytes(256).toString('base64url')}`
  }

  #unsigned(kid: string): string {
    const { issuer, audience } = this.data
    const iat = Math.floor(Date.now() / 1000)
    const claims = {
      iss: issuer,
      aud: audience,
      sub: 'someone',
      jti: randomUUID(),
      iat,
      exp: iat + 10 * years,
    }
    return [{ alg: 'RS256', typ: 'JWT', kid }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
  }

  #answer({ url }: IncomingMessage, response: ServerResponse): void {
    if (url === jwksPath) this.fetches += 1
    if (url === jwksPath && this.hangs) return
    this.pending += 1
    response.once('close', () => (this.pending -= 1))
    const { issuer, jwksUri } = this.data
    const documents: Record<string, object> = {
      [jwksPath]: { keys: this.keys.map(({ jwk }) => jwk) },
      [metadataPath]: {
        issuer,
        jwks_uri: jwksUri,
        id_token_signing_alg_values_supported: Object.keys(keyPairs),
      },
    }
    const document = documents[url!]
    setTimeout(() => {
      response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(document ?? { error: 'not_found' }))
    }, this.latency)
  }
}
