import { canonicalAlgorithm, type AsymmetricAlgorithm, type JwsAlgorithm } from '../jwt/algorithms.ts'
import { JwksAuthError, refusals } from '../errors.ts'
import type { IssuerSettings } from '../options/issuer-options.ts'
import { signatureVerifier } from '../jwt/signature.ts'
import { discoverJwksUri } from '../jwks/discovery.ts'
import { fetchJson } from '../jwks/fetch-json.ts'
import type { VerificationKey } from '../jwks/jwk.ts'
import type { KeyStatus } from '../jwks/jwks-state.ts'
import { RemoteKeys } from '../jwks/remote-jwks.ts'
import type { Log } from '../jwks/jwks-reporter.ts'
import type { JwksSettings } from '../options/plugin-options.ts'
import type { Verifier } from './key-verifier.ts'

type Found<T> = T | Promise<T>

/** An issuer whose tokens are accepted: what they must be like, and who can tell that they are its own. */
export interface Issuer {
  /** The verifier for a token by its header, or why there is none. */
  verifierFor(header: Readonly<Record<string, unknown>>): Found<Verifier | JwksAuthError>
  /** Until when nobody has to be asked whether it is one of ours: for ever where it was listed. */
  trustedUntil: number
  /** What is known of its keys; undefined for an issuer with a shared secret. */
  status(): KeyStatus | undefined
  prefetch(): Promise<void>
  /** Ends the fetch in flight; there will be no other. */
  close(): void
  /** Ends its verifiers as well: it is none of ours any more. */
  dismiss(): void
}

/** What issuers need to fetch their keys. */
export interface IssuerContext {
  readonly jwks: JwksSettings
  readonly allowInsecureIssuers: boolean
  readonly log: Log
  /** Told of verifiers whose keys are no longer published. */
  readonly onRemoved: (verifiers: ReadonlySet<Verifier>) => void
}

export function createIssuer(settings: IssuerSettings, context: IssuerContext): Issuer {
  const { issuer: name, algorithms, rules, secret } = settings
  const createVerifier = (key: string | Buffer, algorithm: JwsAlgorithm): Verifier => ({
    issuer: name,
    rules,
    verify: signatureVerifier(key, algorithm),
    until: -Infinity,
  })
  const keys =
    secret === undefined
      ? publishedKeys(settings, context, createVerifier)
      : sharedSecret(secret, algorithms, createVerifier)
  const settle = (verifier: Verifier | undefined): Verifier | JwksAuthError => {
    if (!verifier) return new JwksAuthError(refusals.noKey)
    verifier.until = Math.min(keys.settledUntil(), issuer.trustedUntil)
    return verifier
  }
  const issuer: Issuer = {
    ...keys,
    trustedUntil: Infinity,
    verifierFor(header) {
      const algorithm = canonicalAlgorithm(header.alg)
      if (algorithm === undefined || !algorithms.has(algorithm)) return new JwksAuthError(refusals.algorithm)
      const verifier = keys.verifierOf(header.kid, algorithm)
      return verifier instanceof Promise ? verifier.then(settle) : settle(verifier)
    },
    dismiss() {
      issuer.trustedUntil = -Infinity
      end(keys.verifiers())
      keys.close()
    },
  }
  return issuer
}

type CreateVerifier = (key: string | Buffer, algorithm: JwsAlgorithm) => Verifier

interface KeySource extends Pick<Issuer, 'status' | 'prefetch' | 'close'> {
  verifierOf(kid: unknown, algorithm: JwsAlgorithm): Found<Verifier | undefined>
  /** Those that were handed out and hold. */
  verifiers(): Iterable<Verifier>
  /** Until when nobody has to be asked for the keys. */
  settledUntil(): number
}

/** A shared secret has one key, whatever `kid` a token names. */
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
    settledUntil: () => Infinity,
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
  const verifiers = new Map<VerificationKey, Verifier>()
  const remote = new RemoteKeys({
    ...jwks,
    issuer,
    log,
    async fetchKeys(signal) {
      const get = (url: URL): Promise<unknown> => fetchJson(url, { ...jwks, signal })
      // Discovered anew for each look-up, so that keys are never kept at an address that the issuer has left.
      return get(jwksUri ?? (await discoverJwksUri(issuer, allowInsecureIssuers, get)))
    },
    onRemoved(keys) {
      const removed = new Set(keys.flatMap((key) => verifiers.get(key) ?? []))
      for (const key of keys) verifiers.delete(key)
      end(removed)
      onRemoved(removed)
    },
  })
  const verifierOf = (key: VerificationKey | undefined): Verifier | undefined => {
    if (key === undefined) return undefined
    let verifier = verifiers.get(key)
    if (!verifier) verifiers.set(key, (verifier = createVerifier(key.pem, key.alg)))
    return verifier
  }
  return {
    verifierOf(kid, algorithm) {
      const found = remote.find(kid, algorithm as AsymmetricAlgorithm)
      return found instanceof Promise ? found.then(verifierOf) : verifierOf(found)
    },
    verifiers: () => verifiers.values(),
    settledUntil: () => remote.settledUntil,
    status: () => remote.status(),
    prefetch: () => remote.prefetch(),
    close: () => remote.close(),
  }
}

/** Whoever kept them has to ask for them again. */
function end(verifiers: Iterable<Verifier>): void {
  for (const verifier of verifiers) verifier.until = -Infinity
}
