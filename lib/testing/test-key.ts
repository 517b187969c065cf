import {
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto'
import { asymmetricAlgorithms, type AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { assertNames, assertRecord, nonEmptyString, invalidOption } from '../options/assert.ts'

/** The algorithms that `createTestKey` supports. */
export const keyAlgorithms: readonly string[] = [...Object.keys(asymmetricAlgorithms), 'Ed25519']

/** A public key as an issuer publishes it. */
export type TestJwk = {
  kid: string
  alg: string
  use: 'sig'
  kty: string
  crv?: string
  x?: string
  y?: string
  n?: string
  e?: string
}

/** A key pair that signs tokens, created by `createTestKey`. */
export interface TestKey {
  /** The algorithm that the key signs with. */
  readonly algorithm: AsymmetricAlgorithm | 'Ed25519'
  /** The public key, as a member of a JWK Set. */
  readonly jwk: TestJwk
  /** The private key. */
  readonly privateKey: KeyObject
}

/** Options of `createTestKey`. */
export interface TestKeyOptions {
  /**
   * Algorithm that the key signs with. Creating an RSA key (RS and PS algorithms, 2048 bits) takes a few hundred milliseconds, another
   * key about one. If many tests need an RSA key, create it once and pass it to each issuer.
   *
   * @defaultValue `'ES256'`
   */
  algorithm?: AsymmetricAlgorithm | 'Ed25519'
  /**
   * Key ID in the JWK Set and in the header of tokens.
   *
   * @defaultValue a random UUID
   */
  kid?: string
}

/**
 * Creates a key pair that several issuers can share, or that no issuer publishes.
 *
 * @throws TypeError if an option is invalid. The message names the option.
 */
export function createTestKey(options: TestKeyOptions = {}): TestKey {
  assertOptions('createTestKey', options, ['algorithm', 'kid'])
  const { algorithm = 'ES256', kid = randomUUID() } = options
  nonEmptyString('createTestKey.kid', kid)
  assertAlgorithm('createTestKey.algorithm', algorithm, keyAlgorithms)
  const { kty, crv } = asymmetricAlgorithms[algorithm === 'Ed25519' ? 'EdDSA' : algorithm]
  const { publicKey, privateKey } = generate(kty, crv)
  // The key is converted to a JWK by way of PEM, because Node 20 can deadlock when it exports a generated key as a JWK. The
  // export holds a lock. If the garbage collector frees the key generation job at that moment, it waits for the same lock.
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  const jwk = createPublicKey(pem).export({ format: 'jwk' }) as { kty: string }
  return {
    algorithm,
    jwk: { ...jwk, kid, alg: algorithm, use: 'sig' },
    privateKey,
  }
}

/** Throws unless `options` is a plain object with known names only. */
export function assertOptions(name: string, options: object, known: readonly string[]): void {
  assertRecord(name, options)
  assertNames(`${name}.`, options, known)
}

/** Throws unless the algorithm is in the list. */
export function assertAlgorithm(name: string, algorithm: unknown, known: readonly string[]): void {
  if (!known.includes(algorithm as string)) invalidOption(name, `must be one of ${known.join(', ')}`)
}

function generate(kty: string, crv: string | undefined): KeyPairKeyObjectResult {
  if (kty === 'RSA') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (kty === 'OKP') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('ec', { namedCurve: crv! })
}
