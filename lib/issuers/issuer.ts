import { JwksAuthError, refusals } from '../errors.ts'
import type { MaybePromise } from '../hook.ts'
import type { KeyStatus } from '../jwks/jwks-state.ts'
import { canonicalAlgorithm, isSecretAlgorithm } from '../jwt/algorithms.ts'
import type { IssuerSettings } from '../options/issuer-options.ts'
import {
  PublishedKeys,
  SharedSecret,
  type IssuerContext,
  type KeySource,
  type KeyVerifier,
} from './key-source.ts'

/** An issuer whose tokens are accepted. */
export interface Issuer {
  /**
   * Verifies the signature of a token with the keys that its header selects.
   *
   * @param known - The verifier that accepted the same token before. While its key may be used, the signature is not verified again.
   * @returns The verifier that accepts the signature, or the refusal.
   */
  verify(
    raw: string,
    header: Readonly<Record<string, unknown>>,
    known: KeyVerifier | undefined,
  ): MaybePromise<KeyVerifier | JwksAuthError>
  /** Until when the issuer needs no lookup: always for a listed issuer. In milliseconds of `elapsedTime`. */
  freshUntil: number
  /** Undefined for an issuer without published keys. */
  status(): KeyStatus | undefined
  prefetch(): Promise<void>
  /** Aborts the fetch in flight and prevents others. */
  close(): void
  /** Closes the issuer and ends its verifiers: its tokens are no longer accepted. */
  revoke(): void
}

export function createIssuer(settings: IssuerSettings, context: IssuerContext): Issuer {
  const { algorithms, rules, secret, jwksUris } = settings
  const sharedSecret = secret && new SharedSecret(secret, [...algorithms].filter(isSecretAlgorithm), rules)
  const published =
    secret === undefined || jwksUris !== undefined ? new PublishedKeys(settings, context) : undefined
  const withFreshness = (
    source: KeySource,
    verifier: KeyVerifier | JwksAuthError,
  ): KeyVerifier | JwksAuthError => {
    if (verifier instanceof JwksAuthError) return verifier
    verifier.freshUntil = Math.min(source.freshUntil, issuer.freshUntil)
    return verifier
  }
  const issuer: Issuer = {
    freshUntil: Infinity,
    verify(raw, header, known) {
      const algorithm = canonicalAlgorithm(header.alg)
      if (algorithm === undefined || !algorithms.has(algorithm)) return new JwksAuthError(refusals.algorithm)
      // The options allow only algorithms of the sources that the issuer has.
      const source: KeySource = isSecretAlgorithm(algorithm) ? sharedSecret! : published!
      const verifier = source.verify(raw, header.kid, algorithm, known)
      if (!(verifier instanceof Promise)) return withFreshness(source, verifier)
      return verifier.then((settled) => withFreshness(source, settled))
    },
    status: () => published?.status(),
    prefetch: async () => published?.prefetch(),
    close: () => published?.close(),
    revoke() {
      issuer.freshUntil = -Infinity
      sharedSecret?.endFreshness()
      published?.endFreshness()
      published?.close()
    },
  }
  return issuer
}
