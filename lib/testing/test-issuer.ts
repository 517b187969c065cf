import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { LoopbackServer } from './loopback-server.ts'
import { SigningKeys, type RotateOptions } from './signing-keys.ts'
import {
  testIssuerSettings,
  type TestIssuerOptions,
  type TestIssuerSettings,
  type TestPluginOptions,
} from './test-issuer-options.ts'
import type { TestKey } from './test-key.ts'
import {
  assertTokenOptions,
  confirmationOf,
  encodeToken,
  withInvalidSignature,
  type TestClaims,
  type TestTokenOptions,
} from './test-token.ts'

/**
 * An OpenID issuer on 127.0.0.1 for tests. It serves its discovery document and its JWK Set over HTTP, and creates tokens with any
 * content. Created by `createTestIssuer`.
 */
export class TestIssuer {
  /**
   * Request handlers by path, without the query. A handler adds a path, for example another endpoint that the application calls, or
   * replaces a built-in response, for example to simulate an issuer that misbehaves. Initially empty.
   */
  readonly handlers: Map<string, RequestListener> = new Map()
  /** The path and query of each request so far, in order. */
  readonly requests: string[] = []
  readonly #server: LoopbackServer
  readonly #settings: TestIssuerSettings
  readonly #keys: SigningKeys

  private constructor(settings: TestIssuerSettings) {
    this.#settings = settings
    this.#keys = new SigningKeys(settings.key, settings.secret)
    this.#server = new LoopbackServer((request, response) => this.#answer(request, response), settings.port)
  }

  /** @internal */
  static async start(options: TestIssuerOptions): Promise<TestIssuer> {
    const issuer = new TestIssuer(testIssuerSettings(options))
    await issuer.#server.start()
    return issuer
  }

  /** The issuer identifier: the `iss` claim of its tokens, and the `issuer` option of the plugin. */
  get issuer(): string {
    return this.#server.origin + this.#settings.path
  }

  /** The URL of the JWK Set. */
  get jwksUri(): string {
    return `${this.#server.origin}/jwks`
  }

  /**
   * Plugin options for this issuer: `issuer` and `audience`. If tokens are signed with a secret, also `secret` and `algorithms`. Pass them
   * as they are, or spread them among other options.
   */
  get options(): TestPluginOptions {
    const { audience, secret, secretAlgorithm } = this.#settings
    const names = { issuer: this.issuer, audience }
    return secretAlgorithm === undefined ? names : { ...names, secret, algorithms: [secretAlgorithm] }
  }

  /** The newest key, which signs tokens. If tokens are signed with a secret, this key is published but signs no token by default. */
  get key(): TestKey {
    return this.#keys.current
  }

  /**
   * The members of the JWK Set, oldest first. `rotate` and `remove` change them. A test can change or replace this array to publish
   * anything else.
   */
  get keys(): Record<string, unknown>[] {
    return this.#keys.published
  }

  set keys(keys: Record<string, unknown>[]) {
    this.#keys.published = keys
  }

  /** How often the JWK Set has been requested so far. */
  get fetches(): number {
    return this.requests.filter((path) => path === '/jwks').length
  }

  /**
   * Creates a signed token for an `Authorization` header. Without arguments it is an access token as defined by RFC 9068, which the
   * application accepts for ten minutes.
   *
   * @param claims - Claims that are added to the default ones or replace them. A claim that is `undefined` is left out.
   * @throws TypeError if an argument is invalid. The message names the argument.
   */
  token(claims: TestClaims = {}, options: TestTokenOptions = {}): string {
    assertTokenOptions(claims, options)
    const { header = {}, expiresIn = 600_000, key, forged, boundTo } = options
    const { algorithm = key?.algorithm ?? this.#settings.secretAlgorithm ?? this.key.algorithm } = options
    const { kid, signer } = this.#keys.signerFor(algorithm, key)
    const { audience } = this.#settings
    const defaults: TestClaims = {
      iss: this.issuer,
      aud: audience === false ? undefined : audience,
      sub: 'someone',
      client_id: 'client',
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor((Date.now() + expiresIn) / 1000),
      jti: randomUUID(),
      cnf: boundTo && confirmationOf(boundTo),
    }
    return encodeToken(
      { alg: algorithm, kid, typ: 'at+jwt', ...header },
      { ...defaults, ...claims },
      forged === true ? withInvalidSignature(signer) : signer,
    )
  }

  /**
   * Creates and publishes a new key, which signs tokens from now on.
   *
   * @returns The new key.
   * @throws TypeError if an option is invalid. The message names the option.
   */
  rotate(options: RotateOptions = {}): TestKey {
    return this.#keys.rotate(options)
  }

  /**
   * Removes a key from the JWK Set. The key still signs tokens, so that a test can check that they are refused. Don't remove the last
   * key: the plugin treats a set without keys as an outage and continues to use the keys that it has.
   *
   * @param kid - The `kid` of a published key.
   * @throws TypeError if no published key has this `kid`.
   */
  remove(kid: string): void {
    this.#keys.remove(kid)
  }

  /** Simulates an outage: closes all connections and refuses new ones. */
  goDown(): Promise<void> {
    return this.#server.stop()
  }

  /**
   * Ends the outage: accepts connections again, on the same port.
   *
   * @throws Error if the issuer has been closed, or if another program uses the port (`EADDRINUSE`).
   */
  comeBack(): Promise<void> {
    return this.#server.start()
  }

  /** Closes the issuer permanently and frees its port and connections. `token` still works. */
  close(): Promise<void> {
    return this.#server.close()
  }

  /** Closes the issuer at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url!
    this.requests.push(url)
    const path = url.replace(/\?.*$/s, '')
    const handler = this.handlers.get(path)
    if (handler !== undefined) return handler(request, response)
    const responses = new Map<string, object>([
      [
        `${this.#settings.path.replace(/\/$/, '')}/.well-known/openid-configuration`,
        { issuer: this.issuer, jwks_uri: this.jwksUri },
      ],
      ['/jwks', { keys: this.keys }],
    ])
    const body = responses.get(path)
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body ?? { error: 'not_found' }))
  }
}

/**
 * Starts an OpenID issuer on 127.0.0.1.
 *
 * ```ts
 * const issuer = await createTestIssuer()
 * await app.register(jwksAuth, issuer.options)
 * const headers = { authorization: `Bearer ${issuer.token({ scope: 'read:ping' })}` }
 * ```
 *
 * @throws TypeError if an option is invalid. The message names the option.
 * @throws Error if `port` can't be used. Its `code` is that of the system, for example `EADDRINUSE`.
 */
export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  return TestIssuer.start(options)
}
