import { JwksAuthError, refusals } from '../errors.ts'
import type { MaybePromise } from '../hook.ts'
import { fetchJwks } from '../jwks/fetch-jwks.ts'
import type { VerificationKey } from '../jwks/jwk.ts'
import type { KeyStatus } from '../jwks/jwks-state.ts'
import { RemoteJwks, type KeyResult } from '../jwks/remote-jwks.ts'
import { canonicalAlgorithm, type AsymmetricAlgorithm, type JwsAlgorithm } from '../jwt/algorithms.ts'
import type { ClaimRules } from '../jwt/claims.ts'
import { createSignatureVerifier, type SignatureVerifier } from '../jwt/signature.ts'
import type { Log } from '../log.ts'
import type { IssuerSettings } from '../options/issuer-options.ts'
import type { JwksSettings } from '../options/plugin-options.ts'

/** The verifier for one key of an issuer and one algorithm. It stays the same object for as long as the issuer has the key. */
export interface KeyVerifier {
  /** The rules of the issuer for its tokens. */
  readonly rules: ClaimRules
  readonly verify: SignatureVerifier
  /** Until when the key needs no lookup, in milliseconds of the monotonic clock. */
  freshUntil: number
}

/** An issuer whose tokens are accepted. */
export interface Issuer {
  /** The verifier for a token with this header, or the refusal. */
  verifierFor(header: Readonly<Record<string, unknown>>): MaybePromise<KeyVerifier | JwksAuthError>
  /** Until when the issuer needs no lookup: always for a listed issuer. In milliseconds of the monotonic clock. */
  freshUntil: number
  /** Undefined for an issuer with a shared secret. */
  status(): KeyStatus | undefined
  prefetch(): Promise<void>
  /** Aborts the fetch in flight and prevents others. */
  close(): void
  /** Closes the issuer and ends its verifiers: its tokens are no longer accepted. */
  revoke(): void
}

/** What issuers need to fetch their keys. */
export interface IssuerContext {
  readonly jwks: JwksSettings
  readonly allowInsecureIssuers: boolean
  readonly log: Log
  /** Called with the verifiers whose keys are no longer published. */
  readonly onRemoved: (verifiers: ReadonlySet<KeyVerifier>) => void
}

export function createIssuer(settings: IssuerSettings, context: IssuerContext): Issuer {
  const { algorithms, rules, secret } = settings
  const createVerifier: CreateVerifier = (key, algorithm) => ({
    rules,
    verify: createSignatureVerifier(key, algorithm),
    freshUntil: -Infinity,
  })
  const keys =
    secret === undefined
      ? publishedKeys(settings, context, createVerifier)
      : sharedSecret(secret, algorithms, createVerifier)
  const withFreshness = (verifier: KeyVerifier | undefined): KeyVerifier | JwksAuthError => {
    if (!verifier) return new JwksAuthError(refusals.missingKey)
    verifier.freshUntil = Math.min(keys.freshUntil(), issuer.freshUntil)
    return verifier
  }
  const issuer: Issuer = {
    freshUntil: Infinity,
    verifierFor(header) {
      const algorithm = canonicalAlgorithm(header.alg)
      if (algorithm === undefined || !algorithms.has(algorithm)) return new JwksAuthError(refusals.algorithm)
      const verifier = keys.verifierOf(header.kid, algorithm)
      return verifier instanceof Promise ? verifier.then(withFreshness) : withFreshness(verifier)
    },
    status: () => keys.status(),
    prefetch: () => keys.prefetch(),
    close: () => keys.close(),
    revoke() {
      issuer.freshUntil = -Infinity
      endFreshness(keys.verifiers())
      keys.close()
    },
  }
  return issuer
}

type CreateVerifier = (key: string | Buffer, algorithm: JwsAlgorithm) => KeyVerifier

interface KeySource extends Pick<Issuer, 'status' | 'prefetch' | 'close'> {
  verifierOf(kid: unknown, algorithm: JwsAlgorithm): MaybePromise<KeyVerifier | undefined>
  /** The verifiers in use. */
  verifiers(): Iterable<KeyVerifier>
  /** Until when the keys need no lookup. */
  freshUntil(): number
}

/** A shared secret is the only key of its issuer. The `kid` of a token is ignored. */
function sharedSecret(
  secret: Buffer,
  algorithms: ReadonlySet<JwsAlgorithm>,
  createVerifier: CreateVerifier,
): KeySource {
  const verifiers = new Map(
    Array.from(algorithms, (algorithm) => [algorithm, createVerifier(secret, algorithm)]),
  )
  return {
    verifierOf: (_kid, algorithm) => verifiers.get(algorithm),
    verifiers: () => verifiers.values(),
    freshUntil: () => Infinity,
    status: () => undefined,
    async prefetch() {},
    close() {},
  }
}

function publishedKeys(
  { issuer, jwksUri }: IssuerSettings,
  context: IssuerContext,
  createVerifier: CreateVerifier,
): KeySource {
  const { jwks, allowInsecureIssuers, log, onRemoved } = context
  const verifiers = new Map<VerificationKey, KeyVerifier>()
  const remote = new RemoteJwks({
    ...jwks,
    issuer,
    log,
    fetchJwks: (signal) =>
      fetchJwks({ issuer, jwksUri, allowInsecure: allowInsecureIssuers }, { ...jwks, signal }),
    onRemoved(keys) {
      const removed = new Set(keys.flatMap((key) => verifiers.get(key) ?? []))
      for (const key of keys) verifiers.delete(key)
      endFreshness(removed)
      onRemoved(removed)
    },
  })
  const verifierOf = (result: KeyResult): KeyVerifier | undefined => {
    if ('missing' in result) return undefined
    const { key } = result
    let verifier = verifiers.get(key)
    if (!verifier) verifiers.set(key, (verifier = createVerifier(key.pem!, key.alg)))
    return verifier
  }
  return {
    verifierOf(kid, algorithm) {
      const result = remote.find(kid, algorithm as AsymmetricAlgorithm)
      return result instanceof Promise ? result.then(verifierOf) : verifierOf(result)
    },
    verifiers: () => verifiers.values(),
    freshUntil: () => remote.freshUntil,
    status: () => remote.status(),
    prefetch: () => remote.prefetch(),
    close: () => remote.close(),
  }
}

/** Cached tokens of these verifiers need a lookup of the key again. */
function endFreshness(verifiers: Iterable<KeyVerifier>): void {
  for (const verifier of verifiers) verifier.freshUntil = -Infinity
}
