import { randomBytes } from 'node:crypto'
import { secretAlgorithms, type JwsAlgorithm, type SecretAlgorithm } from '../jwt/algorithms.ts'
import { stringOrList, invalidOption } from '../options/assert.ts'
import { assertAlgorithm, assertOptions, createTestKey, type TestKey } from './test-key.ts'
import { assertKey, issuerAlgorithms } from './test-token.ts'

/** What a test issuer is to be like. */
export interface TestIssuerOptions {
  /**
   * The `aud` of its tokens, and the `audience` of its `options`. `false`: tokens have none.
   *
   * @defaultValue `'api'`
   */
  audience?: string | readonly string[] | false
  /**
   * What its tokens are signed with. An RSA key takes a few hundred milliseconds to make.
   *
   * @defaultValue `'ES256'`; with `secret` `'HS256'`
   */
  algorithm?: JwsAlgorithm | 'Ed25519'
  /**
   * The secret that its tokens are signed with: text (its UTF-8 is taken) or bytes, at least as long as the hash. Excludes asymmetric
   * algorithms.
   *
   * @defaultValue a random one, where an HS algorithm wants it
   */
  secret?: string | Uint8Array
  /**
   * The key that it begins with. Excludes asymmetric algorithms, since a key has one.
   *
   * @defaultValue a new one
   */
  key?: TestKey
  /**
   * What its name has behind the origin, as `'/realms/acme'` or `'/'`.
   *
   * @defaultValue `''`
   */
  path?: string
  /**
   * Its port on 127.0.0.1, for applications that can't be told another issuer.
   *
   * @defaultValue a free one
   */
  port?: number
}

/** Options of the plugin that make it take a test issuer's tokens. */
export type TestPluginOptions =
  | { issuer: string; audience: string | readonly string[] | false }
  | {
      issuer: string
      audience: string | readonly string[] | false
      secret: string | Uint8Array
      algorithms: readonly SecretAlgorithm[]
    }

/** The same, checked, with defaults. */
export interface TestIssuerSettings {
  readonly audience: string | readonly string[] | false
  /** What tokens are signed with, where it is the secret. */
  readonly secretAlgorithm: SecretAlgorithm | undefined
  readonly secret: string | Uint8Array
  readonly key: TestKey
  readonly path: string
  readonly port: number
}

export function testIssuerSettings(options: TestIssuerOptions): TestIssuerSettings {
  assertOptions('createTestIssuer', options, ['audience', 'algorithm', 'secret', 'key', 'path', 'port'])
  const { audience = 'api', secret, key, path = '', port = 0 } = options
  const { algorithm = secret === undefined ? undefined : 'HS256' } = options
  if (audience !== false) stringOrList('createTestIssuer.audience', audience)
  if (algorithm !== undefined) assertAlgorithm('createTestIssuer.algorithm', algorithm, issuerAlgorithms)
  if (key !== undefined) assertKey('createTestIssuer.key', key)
  if (typeof path !== 'string' || !/^(\/[^?#\s]*)?$/.test(path)) {
    invalidOption('createTestIssuer.path', 'must begin with a slash and have no query')
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    invalidOption('createTestIssuer.port', 'must be a whole number from 0 to 65535')
  }
  const settings = { audience, path, port, secret: secret ?? randomBytes(64).toString('base64url') }
  if (isSecretAlgorithm(algorithm)) {
    assertSecret(settings.secret, secretAlgorithms[algorithm])
    return { ...settings, secretAlgorithm: algorithm, key: key ?? createTestKey() }
  }
  if (secret !== undefined)
    invalidOption('createTestIssuer.algorithm', 'must be HS256, HS384 or HS512 beside secret')
  if (key !== undefined && algorithm !== undefined) {
    invalidOption('createTestIssuer.algorithm', 'must not be given beside key, which has one')
  }
  return {
    ...settings,
    secretAlgorithm: undefined,
    key: key ?? createTestKey({ algorithm: algorithm ?? 'ES256' }),
  }
}

function assertSecret(secret: unknown, bytes: number): void {
  const isLongEnough =
    typeof secret === 'string'
      ? Buffer.byteLength(secret) >= bytes
      : secret instanceof Uint8Array && secret.byteLength >= bytes
  if (!isLongEnough)
    invalidOption('createTestIssuer.secret', `must be text or bytes, at least ${bytes} bytes long`)
}

export function isSecretAlgorithm(algorithm: string | undefined): algorithm is SecretAlgorithm {
  return algorithm !== undefined && Object.hasOwn(secretAlgorithms, algorithm)
}
