import { canonicalAlgorithm, type AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { assertBoolean, invalidOption } from '../options/assert.ts'
import { isSecretAlgorithm } from './test-issuer-options.ts'
import { assertAlgorithm, assertOptions, createTestKey, keyAlgorithms, type TestKey } from './test-key.ts'
import { keySigner, noSignature, secretSigner, type Signer } from './test-token.ts'

/** Options of `TestIssuer.rotate`. */
export interface RotateOptions {
  /**
   * Algorithm of the new key.
   *
   * @defaultValue the algorithm of the previous key
   */
  algorithm?: AsymmetricAlgorithm | 'Ed25519'
  /**
   * Whether the previous keys stay published. With `false`, an application refuses tokens of the previous keys as soon as it has
   * fetched the new key.
   *
   * @defaultValue true
   */
  keepOld?: boolean
}

/** The keys and the secret that a test issuer signs with, and the keys that it publishes. */
export class SigningKeys {
  /** The members of the JWK Set. */
  published: Record<string, unknown>[]
  /** The newest key, which signs by default. */
  current: TestKey
  // Keys of other algorithms, created when a token was requested with that algorithm.
  readonly #keysByAlgorithm = new Map<string, TestKey>()
  readonly #secret: string | Uint8Array

  constructor(key: TestKey, secret: string | Uint8Array) {
    this.current = key
    this.published = [key.jwk]
    this.#secret = secret
  }

  rotate(options: RotateOptions): TestKey {
    assertOptions('rotate', options, ['algorithm', 'keepOld'])
    const { algorithm = this.current.algorithm, keepOld = true } = options
    assertAlgorithm('rotate.algorithm', algorithm, keyAlgorithms)
    assertBoolean('rotate.keepOld', keepOld)
    this.current = createTestKey({ algorithm })
    if (!keepOld) {
      this.published = []
      this.#keysByAlgorithm.clear()
    }
    this.published.push(this.current.jwk)
    return this.current
  }

  remove(kid: string): void {
    const remaining = this.published.filter((key) => key.kid !== kid)
    if (remaining.length === this.published.length)
      invalidOption('remove.kid', 'must be the kid of a published key')
    this.published = remaining
  }

  /** Returns the signer for an algorithm, and the `kid` of its key if it has one. `key` replaces the issuer's key. */
  signerFor(algorithm: string, key: TestKey | undefined): { kid?: string; signer: Signer } {
    if (algorithm === 'none') return { signer: noSignature }
    if (isSecretAlgorithm(algorithm)) return { signer: secretSigner(algorithm, this.#secret) }
    const signingKey = key ?? this.#keyFor(algorithm as AsymmetricAlgorithm)
    return { kid: signingKey.jwk.kid, signer: keySigner(signingKey) }
  }

  #keyFor(algorithm: AsymmetricAlgorithm): TestKey {
    const name = canonicalAlgorithm(algorithm)!
    if (name === canonicalAlgorithm(this.current.algorithm)) return this.current
    const existing = this.#keysByAlgorithm.get(name)
    if (existing !== undefined) return existing
    const created = createTestKey({ algorithm })
    this.#keysByAlgorithm.set(name, created)
    this.published.push(created.jwk)
    return created
  }
}
