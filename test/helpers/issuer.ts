import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { exportJWK, exportSPKI, generateKeyPair, importSPKI, SignJWT, type CryptoKey, type JWK } from 'jose'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface KeyPair {
  readonly privateKey: CryptoKey
  /** The public key as it is published. */
  readonly jwk: JWK & { kid: string }
}

export interface TokenParts {
  /** Over the defaults; an undefined claim is left out. */
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  key?: KeyPair
}

/** Makes a key pair; the published key names its algorithm and use. */
export async function createKeyPair(alg = 'ES256', kid: string = crypto.randomUUID()): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  // A generated key is not exported as a JWK itself, see jwk.ts.
  const exported = await importSPKI(await exportSPKI(publicKey), alg, { extractable: true })
  return { privateKey, jwk: { ...(await exportJWK(exported)), kid, alg, use: 'sig' } }
}

/** Signs a token with whatever header and claims a test wants. */
export async function sign(
  { privateKey, jwk }: KeyPair,
  claims: object,
  header: object = {},
): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: jwk.alg!, kid: jwk.kid, ...header })
    .sign(privateKey)
}

/** A token that anybody could have put together, with a signature of choice. */
export function unsignedToken(header: object, claims: object, signature = ''): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode(header)}.${encode(claims)}.${signature}`
}

export const now = (): number => Math.floor(Date.now() / 1000)

/**
 * A real issuer on loopback: discovery, a JWK Set and tokens. What it answers can be changed at any time, and
 * every request that it got is remembered.
 */
export class TestIssuer {
  /** Paths of the requests, in their order. */
  readonly requests: string[] = []
  /** Answers by path, instead of the usual ones. */
  readonly handlers: Map<string, Handler> = new Map()
  /** What the JWK Set holds. */
  keys: unknown[]
  readonly key: KeyPair
  /** Behind the origin: '', '/', '/realms/a' … */
  readonly path: string
  /** Its port, which it had once it is closed. */
  port = 0
  readonly #server: Server = createServer((request, response) => this.#answer(request, response))

  private constructor(key: KeyPair, path: string) {
    this.key = key
    this.keys = [key.jwk]
    this.path = path
  }

  static async start({
    path = '',
    key,
    port = 0,
  }: { path?: string; key?: KeyPair; port?: number } = {}): Promise<TestIssuer> {
    const issuer = new TestIssuer(key ?? (await createKeyPair()), path)
    issuer.#server.listen(port, '127.0.0.1')
    await once(issuer.#server, 'listening')
    issuer.port = (issuer.#server.address() as AddressInfo).port
    return issuer
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Its name: what `iss` holds. */
  get issuer(): string {
    return this.origin + this.path
  }

  get jwksUri(): string {
    return `${this.origin}/jwks`
  }

  /** How often the JWK Set was fetched. */
  get fetches(): number {
    return this.requests.filter((path) => path === '/jwks').length
  }

  get metadata(): Record<string, unknown> {
    return { issuer: this.issuer, jwks_uri: this.jwksUri }
  }

  claims(claims: Record<string, unknown> = {}): Record<string, unknown> {
    return { iss: this.issuer, aud: 'api', sub: 'someone', iat: now(), exp: now() + 600, ...claims }
  }

  async token({ claims, header, key = this.key }: TokenParts = {}): Promise<string> {
    return sign(key, this.claims(claims), header)
  }

  /** Answers one path with JSON, or however a test needs it. */
  on(path: string, answer: Handler | object): void {
    this.handlers.set(path, typeof answer === 'function' ? (answer as Handler) : sendJson(answer))
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url!
    this.requests.push(path)
    const base = this.path.replace(/\/$/, '')
    const usual = new Map<string, object>([
      [`${base}/.well-known/openid-configuration`, this.metadata],
      ['/jwks', { keys: this.keys }],
    ])
    const handler = this.handlers.get(path) ?? (usual.has(path) ? sendJson(usual.get(path)!) : notFound)
    handler(request, response)
  }
}

/** Repeats something until it is so; a check that is broken fails here, instead of going round for ever. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('it does not come about')
    await setImmediate()
  }
}

export function sendJson(body: unknown, status = 200): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

const notFound: Handler = sendJson({ error: 'not_found' }, 404)
