import { JwksAuthError, refusals } from '../errors.ts'
import type { MaybePromise } from '../hook.ts'
import { fetchJwks } from '../jwks/fetch-jwks.ts'
import type { VerificationKey } from '../jwks/jwk.ts'
import type { KeyStatus } from '../jwks/jwks-state.ts'
import { RemoteJwks, type KeyResult } from '../jwks/remote-jwks.ts'
import type { AsymmetricAlgorithm, JwsAlgorithm, SecretAlgorithm } from '../jwt/algorithms.ts'
import type { ClaimRules } from '../jwt/claims.ts'
import { createSignatureVerifier, type SignatureVerifier } from '../jwt/signature.ts'
import type { Log } from '../log.ts'
import type { IssuerSettings } from '../options/issuer-options.ts'
import type { JwksSettings } from '../options/jwks-options.ts'

/** The verifier for one key of an issuer and one algorithm. It stays the same object for as long as the issuer has the key. */
export interface KeyVerifier {
  /** The rules of the issuer for its tokens. */
  readonly rules: ClaimRules
  readonly verify: SignatureVerifier
  /** Until when the key needs no lookup, in milliseconds of `elapsedTime`. */
  freshUntil: number
}

/** What issuers need to fetch their keys. */
export interface IssuerContext {
  readonly jwks: JwksSettings
  /** Allows http for all issuers that a function returns. */
  readonly allowInsecureIssuers: boolean
  readonly log: Log
  /** Called with the verifiers whose keys are no longer published. */
  readonly onRemoved: (verifiers: ReadonlySet<KeyVerifier>) => void
}

/** The keys of an issuer. */
export interface KeySource {
  /**
   * Verifies a signature.
   *
   * @param known - The verifier that accepted the same token before. While its key may be used, the signature is not verified again.
   * @returns The verifier that accepts the signature, or the refusal. A promise only if a fetch has to be waited for.
   */
  verify(
    raw: string,
    kid: unknown,
    algorithm: JwsAlgorithm,
    known: KeyVerifier | undefined,
  ): MaybePromise<KeyVerifier | JwksAuthError>
  /** Until when the keys need no lookup. */
  readonly freshUntil: number
  /** Cached tokens need a lookup of their key again. */
  endFreshness(): void
}

/** A shared secret is the only key for its algorithms. The `kid` of a token is ignored. */
export class SharedSecret implements KeySource {
  readonly freshUntil: number = Infinity
  readonly #verifiers: ReadonlyMap<JwsAlgorithm, KeyVerifier>

  constructor(secret: Buffer, algorithms: readonly SecretAlgorithm[], rules: ClaimRules) {
    this.#verifiers = new Map(
      algorithms.map((algorithm) => [algorithm, createKeyVerifier(secret, algorithm, rules)]),
    )
  }

  verify(
    raw: string,
    _kid: unknown,
    algorithm: JwsAlgorithm,
    known: KeyVerifier | undefined,
  ): KeyVerifier | JwksAuthError {
    return (
      firstAccepting([this.#verifiers.get(algorithm)!], raw, known) ?? new JwksAuthError(refusals.signature)
    )
  }

  endFreshness(): void {
    endFreshness(this.#verifiers.values())
  }
}

/** The keys in the JWK Set of an issuer. */
export class PublishedKeys implements KeySource {
  readonly #remote: RemoteJwks
  readonly #rules: ClaimRules
  readonly #verifiers: Verifiers = new Map()
  /** Tokens without kid have verifiers of their own: a second key that fits refuses them, and not the tokens that name the first. */
  readonly #verifiersWithoutKid: Verifiers = new Map()

  constructor(settings: IssuerSettings, context: IssuerContext) {
    const { jwks, log, onRemoved } = context
    const { jwksUris, metadataUrl } = settings
    this.#rules = settings.rules
    this.#remote = new RemoteJwks({
      ...jwks,
      issuer: settings.issuer,
      log,
      fetchJwks: (signal, attempts) => fetchJwks(settings, { ...jwks, signal }, attempts),
      shared: jwks.store && {
        ...jwks.store,
        location: String(jwksUris ?? metadataUrl ?? 'discovered'),
        // Some characters take more than one byte in an answer, or more than one character in an entry.
        maxLength: 2 * jwks.maxResponseSize * (jwksUris?.length ?? 1) + 10_000,
      },
      onUpdate: (keys) => {
        // Another set may lead to another result for any token.
        this.endFreshness()
        const all = [this.#verifiers, this.#verifiersWithoutKid]
        const removed = keys.flatMap((key) => all.flatMap((verifiers) => verifiers.get(key) ?? []))
        for (const verifiers of all) for (const key of keys) verifiers.delete(key)
        onRemoved(new Set(removed))
      },
    })
  }

  verify(
    raw: string,
    kid: unknown,
    algorithm: JwsAlgorithm,
    known: KeyVerifier | undefined,
  ): MaybePromise<KeyVerifier | JwksAuthError> {
    const alg = algorithm as AsymmetricAlgorithm
    const result = this.#remote.find(kid, alg)
    // The keys are newer than the token then, so none of them has been replaced.
    if (result instanceof Promise) return result.then((found) => this.#verifyWith(found, raw, kid, known))
    const verified = this.#verifyWith(result, raw, kid, known)
    if (!(verified instanceof JwksAuthError) || 'missing' in result) return verified
    const keys = this.#remote.findReplacement(kid as string | undefined, alg, result.keys)
    if (!(keys instanceof Promise)) return verified
    return keys.then((found) => this.#accepting(found, raw, kid, known) ?? verified)
  }

  get freshUntil(): number {
    return this.#remote.freshUntil
  }

  endFreshness(): void {
    endFreshness(this.#verifiers.values())
    endFreshness(this.#verifiersWithoutKid.values())
  }

  status(): KeyStatus {
    return this.#remote.status()
  }

  prefetch(): Promise<void> {
    return this.#remote.prefetch()
  }

  /** Aborts the fetch in flight and prevents others. */
  close(): void {
    this.#remote.close()
  }

  #verifyWith(
    result: KeyResult,
    raw: string,
    kid: unknown,
    known: KeyVerifier | undefined,
  ): KeyVerifier | JwksAuthError {
    if ('missing' in result || result.keys.length === 0) return new JwksAuthError(refusals.missingKey)
    return this.#accepting(result.keys, raw, kid, known) ?? new JwksAuthError(refusals.signature)
  }

  #accepting(
    keys: readonly VerificationKey[],
    raw: string,
    kid: unknown,
    known: KeyVerifier | undefined,
  ): KeyVerifier | undefined {
    const verifiers = kid === undefined ? this.#verifiersWithoutKid : this.#verifiers
    return firstAccepting(
      keys.map((key) => this.#verifierFor(key, verifiers)),
      raw,
      known,
    )
  }

  #verifierFor(key: VerificationKey, verifiers: Verifiers): KeyVerifier {
    const present = verifiers.get(key)
    if (present) return present
    const verifier = createKeyVerifier(key.pem!, key.alg, this.#rules)
    verifiers.set(key, verifier)
    return verifier
  }
}

type Verifiers = Map<VerificationKey, KeyVerifier>

function createKeyVerifier(key: string | Buffer, algorithm: JwsAlgorithm, rules: ClaimRules): KeyVerifier {
  return { rules, verify: createSignatureVerifier(key, algorithm), freshUntil: -Infinity }
}

function firstAccepting(
  verifiers: readonly KeyVerifier[],
  raw: string,
  known: KeyVerifier | undefined,
): KeyVerifier | undefined {
  if (known && verifiers.includes(known)) return known
  return verifiers.find(({ verify }) => verify(raw))
}

function endFreshness(verifiers: Iterable<KeyVerifier>): void {
  for (const verifier of verifiers) verifier.freshUntil = -Infinity
}
