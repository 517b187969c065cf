import { randomBytes } from 'node:crypto'
import { secretAlgorithms, type JwsAlgorithm, type SecretAlgorithm } from '../jwt/algorithms.ts'
import { stringOrList, invalidOption } from '../options/assert.ts'
import { assertAlgorithm, assertOptions, createTestKey, type TestKey } from './test-key.ts'
import { assertKey, issuerAlgorithms } from './test-token.ts'

/** Options of `createTestIssuer`. */
export interface TestIssuerOptions {
  /**
   * The `aud` claim of its tokens, and the `audience` in `TestIssuer.options`. With `false`, tokens have no `aud`.
   *
   * @defaultValue `'api'`
   */
  audience?: string | readonly string[] | false
  /**
   * Algorithm that tokens are signed with. Creating an RSA key takes a few hundred milliseconds. Must not be given together with
   * `key` unless it is an HS algorithm.
   *
   * @defaultValue `'ES256'`, or `'HS256'` if `secret` is given
   */
  algorithm?: JwsAlgorithm | 'Ed25519'
  /**
   * Secret that tokens are signed with: a string (encoded as UTF-8) or a `Uint8Array`. It must be at least as long as the hash: 32, 48
   * or 64 bytes. Must not be given together with an asymmetric `algorithm`.
   *
   * @defaultValue a random secret
   */
  secret?: string | Uint8Array
  /**
   * The first signing key, created by `createTestKey`. Must not be given together with an asymmetric `algorithm`, because the key has
   * its own.
   *
   * @defaultValue a new key
   */
  key?: TestKey
  /**
   * Path of the issuer identifier, for example `'/realms/acme'` or `'/'`. Empty, or beginning with a slash, without query, fragment and
   * whitespace.
   *
   * @defaultValue `''`
   */
  path?: string
  /**
   * Port on 127.0.0.1, for applications with a fixed issuer. `0` means any free port.
   *
   * @defaultValue `0`
   */
  port?: number
}

/** Plugin options with which an application accepts the tokens of a test issuer. */
export type TestPluginOptions =
  | { issuer: string; audience: string | readonly string[] | false }
  | {
      issuer: string
      audience: string | readonly string[] | false
      secret: string | Uint8Array
      algorithms: readonly SecretAlgorithm[]
    }

/** Validated options with their defaults. */
export interface TestIssuerSettings {
  readonly audience: string | readonly string[] | false
  /** Set if tokens are signed with the secret. */
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
    invalidOption(
      'createTestIssuer.path',
      'must be empty or begin with a slash, without query, fragment and whitespace',
    )
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
    invalidOption('createTestIssuer.algorithm', 'must be HS256, HS384 or HS512 if "secret" is given')
  if (key !== undefined && algorithm !== undefined) {
    invalidOption(
      'createTestIssuer.algorithm',
      'must not be given together with "key", which has its own algorithm',
    )
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
    invalidOption('createTestIssuer.secret', `must be a string or a Uint8Array of at least ${bytes} bytes`)
}

export function isSecretAlgorithm(algorithm: string | undefined): algorithm is SecretAlgorithm {
  return algorithm !== undefined && Object.hasOwn(secretAlgorithms, algorithm)
}
