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
  encodeToken,
  spoiled,
  type TestClaims,
  type TestTokenOptions,
} from './test-token.ts'

/**
 * An OpenID issuer on 127.0.0.1, for tests: discovery and a JWK Set over HTTP, and tokens with whatever a test wants in them. Made by
 * `createTestIssuer`.
 */
export class TestIssuer {
  /**
   * Answers by path, instead of the usual ones or beside them: an endpoint that your application calls too, or an issuer that
   * misbehaves. Empty at first.
   */
  readonly handlers: Map<string, RequestListener> = new Map()
  /** Paths of the requests so far, in their order, with their query. */
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
    await issuer.#server.up()
    return issuer
  }

  /** Its name: the `iss` of its tokens, and the `issuer` option of the plugin. */
  get issuer(): string {
    return this.#server.origin + this.#settings.path
  }

  /** Where its JWK Set is. */
  get jwksUri(): string {
    return `${this.#server.origin}/jwks`
  }

  /**
   * Options for the plugin: `issuer` and `audience`, and where tokens are signed with a secret `secret` and `algorithms`. To be given as
   * they are, or spread among others.
   */
  get options(): TestPluginOptions {
    const { audience, secret, secretAlgorithm } = this.#settings
    const names = { issuer: this.issuer, audience }
    return secretAlgorithm === undefined ? names : { ...names, secret, algorithms: [secretAlgorithm] }
  }

  /** The key that signs, the newest one; where tokens are signed with a secret, one that is only published. */
  get key(): TestKey {
    return this.#keys.current
  }

  /**
   * What the JWK Set holds, oldest first. `rotate` and `remove` change it, and a test may put in whatever else an issuer could
   * publish.
   */
  get keys(): Record<string, unknown>[] {
    return this.#keys.published
  }

  set keys(keys: Record<string, unknown>[]) {
    this.#keys.published = keys
  }

  /** How often the JWK Set has been fetched. */
  get fetches(): number {
    return this.requests.filter((path) => path === '/jwks').length
  }

  /**
   * A token, ready for an Authorization header. Without arguments it is one that the application takes: an access token as in RFC 9068,
   * for ten minutes.
   *
   * @param claims - Over the usual ones; an undefined one is left out.
   * @throws TypeError when an argument is wrong; it names the argument.
   */
  token(claims: TestClaims = {}, options: TestTokenOptions = {}): string {
    assertTokenOptions(claims, options)
    const { header = {}, expiresIn = 600_000, key, forged } = options
    const { algorithm = key?.algorithm ?? this.#settings.secretAlgorithm ?? this.key.algorithm } = options
    const { kid, signer } = this.#keys.signer(algorithm, key)
    const { audience } = this.#settings
    const usual: TestClaims = {
      iss: this.issuer,
      aud: audience === false ? undefined : audience,
      sub: 'someone',
      client_id: 'client',
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor((Date.now() + expiresIn) / 1000),
      jti: randomUUID(),
    }
    return encodeToken(
      { alg: algorithm, kid, typ: 'at+jwt', ...header },
      { ...usual, ...claims },
      forged === true ? spoiled(signer) : signer,
    )
  }

  /**
   * Publishes a new key, which signs from now on.
   *
   * @returns The new key.
   * @throws TypeError when an option is wrong; it names the option.
   */
  rotate(options: RotateOptions = {}): TestKey {
    return this.#keys.rotate(options)
  }

  /**
   * Takes a key out of the JWK Set. It goes on signing, so that a test has tokens to be refused. Beware of removing the last one: a set
   * without keys is an outage to the plugin, which goes on with those it knows.
   *
   * @param kid - The `kid` of a published key.
   * @throws TypeError when no published key has it.
   */
  remove(kid: string): void {
    this.#keys.remove(kid)
  }

  /** Goes down: from now on connections are refused, and those that there are have ended. */
  goDown(): Promise<void> {
    return this.#server.down()
  }

  /**
   * Comes back on the same port.
   *
   * @throws Error when it has been closed, or when another program has taken the port (`EADDRINUSE`).
   */
  comeBack(): Promise<void> {
    return this.#server.up()
  }

  /** Ends it for good: no port, connection or timer is left. Tokens can still be made. */
  close(): Promise<void> {
    return this.#server.close()
  }

  /** The same, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url!
    this.requests.push(url)
    const path = url.replace(/\?.*$/s, '')
    const handler = this.handlers.get(path)
    if (handler !== undefined) return handler(request, response)
    const usual = new Map<string, object>([
      [
        `${this.#settings.path.replace(/\/$/, '')}/.well-known/openid-configuration`,
        { issuer: this.issuer, jwks_uri: this.jwksUri },
      ],
      ['/jwks', { keys: this.keys }],
    ])
    const body = usual.get(path)
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
 * @throws TypeError when an option is wrong; it names the option. The error of the system when `port` is taken (`EADDRINUSE`).
 */
export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  return TestIssuer.start(options)
}
