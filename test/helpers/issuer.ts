import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { encodeToken, keySigner } from '../../lib/testing/test-token.ts'
import {
  createTestIssuer,
  createTestKey,
  type TestIssuer as PublicIssuer,
  type TestKey,
  type TestKeyOptions,
} from '../../lib/testing/index.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

export type KeyPair = TestKey

export interface TokenParts {
  /** Over the defaults; an undefined claim is left out. */
  claims?: Record<string, unknown>
  header?: Record<string, unknown>
  key?: KeyPair
}

/** Makes a key pair; the published key names its algorithm and use. */
export async function createKeyPair(
  algorithm: TestKeyOptions['algorithm'] = 'ES256',
  kid?: string,
): Promise<KeyPair> {
  return createTestKey({ algorithm, ...(kid !== undefined && { kid }) })
}

/** Signs a token with whatever header and claims a test wants, and nothing else in it. */
export async function sign(key: KeyPair, claims: object, header: object = {}): Promise<string> {
  const { alg, kid } = key.jwk
  return encodeToken({ alg, kid, ...header }, claims, keySigner(key))
}

/** A token that anybody could have put together, with a signature of choice. */
export function unsignedToken(header: object, claims: object, signature = ''): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode(header)}.${encode(claims)}.${signature}`
}

export const now = (): number => Math.floor(Date.now() / 1000)

/** The issuer that the package offers for tests, with tokens of few claims and answers in short form. */
export class TestIssuer {
  readonly #issuer: PublicIssuer
  /** Behind the origin: '', '/', '/realms/a' … */
  readonly path: string

  private constructor(issuer: PublicIssuer, path: string) {
    this.#issuer = issuer
    this.path = path
  }

  static async start({
    path = '',
    ...options
  }: { path?: string; key?: KeyPair; port?: number } = {}): Promise<TestIssuer> {
    return new TestIssuer(await createTestIssuer({ path, ...options }), path)
  }

  /** Paths of the requests, in their order. */
  get requests(): string[] {
    return this.#issuer.requests
  }

  /** Answers by path, instead of the usual ones. */
  get handlers(): Map<string, Handler> {
    return this.#issuer.handlers
  }

  /** What the JWK Set holds. */
  get keys(): unknown[] {
    return this.#issuer.keys
  }

  set keys(keys: unknown[]) {
    this.#issuer.keys = keys as Record<string, unknown>[]
  }

  get key(): KeyPair {
    return this.#issuer.key
  }

  get origin(): string {
    return new URL(this.jwksUri).origin
  }

  /** Its port, which it had once it is closed. */
  get port(): number {
    return Number(new URL(this.jwksUri).port)
  }

  /** Its name: what `iss` holds. */
  get issuer(): string {
    return this.#issuer.issuer
  }

  get jwksUri(): string {
    return this.#issuer.jwksUri
  }

  /** How often the JWK Set was fetched. */
  get fetches(): number {
    return this.#issuer.fetches
  }

  get metadata(): Record<string, unknown> {
    return { issuer: this.issuer, jwks_uri: this.jwksUri }
  }

  claims(claims: Record<string, unknown> = {}): Record<string, unknown> {
    return { iss: this.issuer, aud: 'api', sub: 'someone', iat: now(), exp: now() + 600, ...claims }
  }

  async token({ claims, header, key = this.key }: TokenParts = {}): Promise<string> {
    const none = { client_id: undefined, jti: undefined }
    return this.#issuer.token({ ...none, ...claims }, { key, header: { typ: undefined, ...header } })
  }

  /** Answers one path with JSON, or however a test needs it. */
  on(path: string, answer: Handler | object): void {
    this.handlers.set(path, typeof answer === 'function' ? (answer as Handler) : sendJson(answer))
  }

  async close(): Promise<void> {
    await this.#issuer.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
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
