import {
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto'
import { asymmetricAlgorithms, type AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { assertNames, assertRecord, nonEmptyString, invalidOption } from '../options/assert.ts'

/** The algorithms that there are keys for. */
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

/** A key pair that tokens are signed with. */
export interface TestKey {
  /** Its algorithm. */
  readonly algorithm: AsymmetricAlgorithm | 'Ed25519'
  /** The public key, as a member of a JWK Set. */
  readonly jwk: TestJwk
  /** The private key, which signs. */
  readonly privateKey: KeyObject
}

/** What a key is to be like. */
export interface TestKeyOptions {
  /**
   * What it signs with. An RSA key (RS and PS, 2048 bits) takes a few hundred milliseconds to make, the others about one: where many
   * tests need one, make it once and give it to each issuer.
   *
   * @defaultValue `'ES256'`
   */
  algorithm?: AsymmetricAlgorithm | 'Ed25519'
  /**
   * Its name in the JWK Set and in the header of its tokens.
   *
   * @defaultValue a random UUID
   */
  kid?: string
}

/**
 * Makes a key pair: for several issuers, or one that no issuer publishes.
 *
 * @throws TypeError when an option is wrong; it names the option.
 */
export function createTestKey(options: TestKeyOptions = {}): TestKey {
  assertOptions('createTestKey', options, ['algorithm', 'kid'])
  const { algorithm = 'ES256', kid = randomUUID() } = options
  nonEmptyString('createTestKey.kid', kid)
  assertAlgorithm('createTestKey.algorithm', algorithm, keyAlgorithms)
  const { kty, crv } = asymmetricAlgorithms[algorithm === 'Ed25519' ? 'EdDSA' : algorithm]
  const { publicKey, privateKey } = generate(kty, crv)
  // By way of PEM: a generated key itself is made a JWK under a lock that the garbage collector waits for when it just then
  // clears the generation away (Node 20), and the process stands still.
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  const jwk = createPublicKey(pem).export({ format: 'jwk' }) as { kty: string }
  return {
    algorithm,
    jwk: { ...jwk, kid, alg: algorithm, use: 'sig' },
    privateKey,
  }
}

/** Refuses options that are none, or whose names are not known. */
export function assertOptions(name: string, options: object, known: readonly string[]): void {
  assertRecord(name, options)
  assertNames(`${name}.`, options, known)
}

/** Refuses what is not in a list of algorithms. */
export function assertAlgorithm(name: string, algorithm: unknown, known: readonly string[]): void {
  if (!known.includes(algorithm as string)) invalidOption(name, `must be one of ${known.join(', ')}`)
}

function generate(kty: string, crv: string | undefined): KeyPairKeyObjectResult {
  if (kty === 'RSA') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (kty === 'OKP') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('ec', { namedCurve: crv! })
}
