import { canonicalAlgorithm, type AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { assertBoolean, invalidOption } from '../options/assert.ts'
import { isSecretAlgorithm } from './test-issuer-options.ts'
import { assertAlgorithm, assertOptions, createTestKey, keyAlgorithms, type TestKey } from './test-key.ts'
import { keySigner, noSignature, secretSigner, type Signer } from './test-token.ts'

/** How keys are rotated. */
export interface RotateOptions {
  /**
   * What the new key signs with.
   *
   * @defaultValue what the old one signs with
   */
  algorithm?: AsymmetricAlgorithm | 'Ed25519'
  /**
   * Whether the keys so far stay published. Where they go, an application refuses their tokens as soon as it learns of the new key.
   *
   * @defaultValue true
   */
  keepOld?: boolean
}

/** What an issuer signs with, and what of it is published. */
export class SigningKeys {
  /** What the JWK Set holds. */
  published: Record<string, unknown>[]
  /** The newest one. */
  current: TestKey
  // Those that tokens of other algorithms have asked for.
  readonly #others = new Map<string, TestKey>()
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
      this.#others.clear()
    }
    this.published.push(this.current.jwk)
    return this.current
  }

  remove(kid: string): void {
    const kept = this.published.filter((key) => key.kid !== kid)
    if (kept.length === this.published.length)
      invalidOption('remove.kid', 'must be the kid of a published key')
    this.published = kept
  }

  /** What signs with an algorithm, and under which kid. */
  signer(algorithm: string, key: TestKey | undefined): { kid?: string; signer: Signer } {
    if (algorithm === 'none') return { signer: noSignature }
    if (isSecretAlgorithm(algorithm)) return { signer: secretSigner(algorithm, this.#secret) }
    const signing = key ?? this.#keyFor(algorithm as AsymmetricAlgorithm)
    return { kid: signing.jwk.kid, signer: keySigner(signing) }
  }

  #keyFor(algorithm: AsymmetricAlgorithm): TestKey {
    const name = canonicalAlgorithm(algorithm)!
    if (name === canonicalAlgorithm(this.current.algorithm)) return this.current
    const known = this.#others.get(name)
    if (known !== undefined) return known
    const made = createTestKey({ algorithm })
    this.#others.set(name, made)
    this.published.push(made.jwk)
    return made
  }
}
