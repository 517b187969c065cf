import { canonicalAlgorithm, type AsymmetricAlgorithm, type JwsAlgorithm } from './algorithms.ts'
import type { ClaimRules } from './checks.ts'
import { JwksAuthError, refusals } from './errors.ts'
import type { IssuerSettings } from './issuer-settings.ts'
import { signatureVerifier, type SignatureVerifier } from './jwt.ts'
import { discoverJwksUri } from './keys/discovery.ts'
import { fetchJson } from './keys/fetch-json.ts'
import type { VerificationKey } from './keys/key.ts'
import type { KeyStatus } from './keys/known-keys.ts'
import { RemoteKeys } from './keys/remote-keys.ts'
import type { Log } from './keys/report.ts'
import type { JwksSettings } from './settings.ts'

type Found<T> = T | undefined | Promise<T | undefined>

/** An issuer whose tokens are accepted: what they must be like, and who can tell that they are its own. */
export interface Issuer {
  readonly rules: ClaimRules
  /**
   * The verifier for a token by its header, undefined where the issuer has no key for it. It is the same one for as
   * long as the issuer publishes the key.
   */
  verifierFor(header: Readonly<Record<string, unknown>>): Found<SignatureVerifier>
  /** What is known of its keys; undefined for an issuer with a shared secret. */
  status(): KeyStatus | undefined
  prefetch(): Promise<void>
  close(): void
}

/** What issuers need to fetch their keys. */
export interface IssuerContext {
  readonly jwks: JwksSettings
  readonly allowInsecureIssuers: boolean
  readonly log: Log
  /** Told of verifiers whose keys are no longer published. */
  readonly onRemoved: (verifiers: ReadonlySet<SignatureVerifier>) => void
}

export function createIssuer(settings: IssuerSettings, context: IssuerContext): Issuer {
  const { algorithms, rules, secret } = settings
  const keys = secret === undefined ? publishedKeys(settings, context) : sharedSecret(secret, algorithms)
  return {
    ...keys,
    rules,
    verifierFor(header) {
      const algorithm = canonicalAlgorithm(header.alg)
      if (algorithm === undefined || !algorithms.has(algorithm)) throw new JwksAuthError(refusals.algorithm)
      return keys.verifierOf(header.kid, algorithm)
    },
  }
}

interface KeySource extends Pick<Issuer, 'status' | 'prefetch' | 'close'> {
  verifierOf(kid: unknown, algorithm: JwsAlgorithm): Found<SignatureVerifier>
}

/** A shared secret has one key, whatever `kid` a token names. */
function sharedSecret(secret: Buffer, algorithms: ReadonlySet<JwsAlgorithm>): KeySource {
  const verifiers = new Map(
    Array.from(algorithms, (algorithm) => [algorithm, signatureVerifier(secret, algorithm)]),
  )
  return {
    verifierOf: (_kid, algorithm) => verifiers.get(algorithm),
    status: () => undefined,
    async prefetch() {},
    close() {},
  }
}

function publishedKeys({ issuer, jwksUri }: IssuerSettings, context: IssuerContext): KeySource {
  const { jwks, allowInsecureIssuers, log, onRemoved } = context
  const verifiers = new WeakMap<VerificationKey, SignatureVerifier>()
  const remote = new RemoteKeys({
    ...jwks,
    issuer,
    log,
    async fetchKeys(signal) {
      const get = (url: URL): Promise<unknown> => fetchJson(url, { ...jwks, signal })
      // Discovered anew for each look-up, so that keys are never kept at an address that the issuer has left.
      return get(jwksUri ?? (await discoverJwksUri(issuer, allowInsecureIssuers, get)))
    },
    onRemoved: (keys) => onRemoved(new Set(keys.flatMap((key) => verifiers.get(key) ?? []))),
  })
  const verifierOf = (key: VerificationKey | undefined): SignatureVerifier | undefined => {
    if (key === undefined) return undefined
    let verifier = verifiers.get(key)
    if (!verifier) verifiers.set(key, (verifier = signatureVerifier(key.pem, key.alg)))
    return verifier
  }
  return {
    verifierOf(kid, algorithm) {
      const found = remote.find(kid, algorithm as AsymmetricAlgorithm)
      return found instanceof Promise ? found.then(verifierOf) : verifierOf(found)
    },
    status: () => remote.status(),
    prefetch: () => remote.prefetch(),
    close: () => remote.close(),
  }
}
