import type { IncomingMessage, ServerResponse } from 'node:http'
import { encodeToken, keySigner } from '../../lib/testing/test-token.ts'
import {
  createTestIssuer,
  createTestKey,
  type TestIssuer,
  type TestKey,
  type TestKeyOptions,
} from '../../lib/testing/index.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

export type KeyPair = TestKey

export interface TokenParts {
  /** Replace the default claims. A claim that is undefined is not in the token. */
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

/** Signs a token with exactly these claims. The header holds `alg` and `kid` unless `header` replaces them. */
export async function sign(key: KeyPair, claims: object, header: object = {}): Promise<string> {
  const { alg, kid } = key.jwk
  return encodeToken({ alg, kid, ...header }, claims, keySigner(key))
}

/** A token with any header, claims and signature. It needs no key. */
export function unsignedToken(header: object, claims: object, signature = ''): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode(header)}.${encode(claims)}.${signature}`
}

export const now = (): number => Math.floor(Date.now() / 1000)

/**
 * A `TestIssuer` whose tokens hold the least that an application accepts, so that each test adds what it is about. The tokens of
 * `TestIssuer` hold all that RFC 9068 requires.
 */
export class LocalIssuer {
  readonly #issuer: TestIssuer
  /** The path of the issuer's URL: '', '/', '/realms/a' … */
  readonly path: string

  private constructor(issuer: TestIssuer, path: string) {
    this.#issuer = issuer
    this.path = path
  }

  static async start({
    path = '',
    ...options
  }: { path?: string; key?: KeyPair; port?: number } = {}): Promise<LocalIssuer> {
    return new LocalIssuer(await createTestIssuer({ path, ...options }), path)
  }

  /** Paths of the requests, oldest first. */
  get requests(): string[] {
    return this.#issuer.requests
  }

  /** Handlers by path, which replace the default answers. */
  get handlers(): Map<string, Handler> {
    return this.#issuer.handlers
  }

  /** The keys of the JWK Set. */
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

  /** Stays the same after the issuer is closed. */
  get port(): number {
    return Number(new URL(this.jwksUri).port)
  }

  /** The issuer identifier: the `iss` of its tokens. */
  get issuer(): string {
    return this.#issuer.issuer
  }

  get jwksUri(): string {
    return this.#issuer.jwksUri
  }

  /** The number of requests for the JWK Set. */
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

  /** Sets the answer of one path: a handler, or an object that is sent as JSON. */
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

const { setTimeout } = globalThis

/** Repeats a check until it returns true. It throws after 10 seconds, so that a broken check doesn't repeat forever. */
export async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error('the check did not become true within 10 seconds')
    // The function that no test has replaced.
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export function sendJson(body: unknown, status = 200): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}
