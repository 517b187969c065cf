import { isDeepStrictEqual } from 'node:util'
import { diagnostics, truncateKid, type FetchAttempt } from '../channels.ts'
import * as messages from '../log.ts'
import type { Log } from '../log.ts'
import { printable } from './identifier-diff.ts'
import { normalReasons, type SkippedKey, type VerificationKey } from './jwk.ts'

/** A good answer of an issuer. */
interface Answer {
  readonly kids: readonly string[]
  readonly skipped: readonly SkippedKey[]
}

/** Why a fetch failed. */
interface FetchFailure {
  readonly message: string
  /** The name in metadata of another issuer. */
  readonly metadataIssuer?: string
  /** The keys of an answer in which no key can be used. */
  readonly skipped?: readonly SkippedKey[]
}

/** How an answer was found. Times are milliseconds. */
interface Origin {
  readonly duration: number
  /** Undefined without a store. */
  readonly source?: 'issuer' | 'store'
  readonly age?: number
}

/** Maximum number of keys in a log line. */
const maxListed = 20

/**
 * Reports on the keys of one issuer in log lines and events. They contain no key material, and of the issuer's text only the
 * beginnings of `kid`, `kty`, `crv`, `alg` and `use`, and of the issuer in its metadata.
 */
export class JwksReporter {
  readonly #issuer: string
  readonly #log: Log
  #unusable: readonly SkippedKey[] = []
  #otherKeys = 0
  #isOutageLogged = false
  #isMissingKidLogged = false
  #isStoreFailureLogged = false
  readonly #loggedReasons = new Set<string>()

  constructor(issuer: string, log: Log) {
    this.#issuer = issuer
    this.#log = log
  }

  /** @param removed - The keys that the issuer no longer publishes. */
  fetched({ kids, skipped }: Answer, removed: readonly VerificationKey[], origin: Origin): void {
    const issuer = this.#issuer
    if (origin.source !== 'store') {
      if (this.#isOutageLogged) this.#log.info({ issuer }, messages.fetchRecovered)
      this.#isOutageLogged = false
    }
    this.#logSkipped(skipped)
    if (diagnostics.keysFetched.hasSubscribers) {
      diagnostics.keysFetched.publish({ issuer, kids: kids.map((kid) => truncateKid(kid)), ...origin })
    }
    // A key without alg counts once for each algorithm that it fits.
    for (const kid of new Set(removed.map((key) => key.kid))) {
      diagnostics.keyRemoved.publish({ issuer, kid: truncateKid(kid) })
    }
  }

  fetchFailed(failure: FetchFailure, attempts: readonly FetchAttempt[], duration: number): void {
    const issuer = this.#issuer
    const { message: reason, metadataIssuer, skipped = [] } = failure
    const details = {
      issuer,
      reason,
      attempts,
      ...(metadataIssuer !== undefined && { metadataIssuer: printable(metadataIssuer) }),
      ...(skipped.length > 0 && { keys: skipped.slice(0, maxListed) }),
    }
    if (!this.#isOutageLogged) this.#log.warn(details, messages.fetchFailed)
    this.#isOutageLogged = true
    diagnostics.refreshFailed.publish({ issuer, reason, attempts, duration })
  }

  storeFailed(reason: string): void {
    if (!this.#isStoreFailureLogged) this.#log.warn({ issuer: this.#issuer, reason }, messages.storeFailed)
    this.#isStoreFailureLogged = true
  }

  storeWorks(): void {
    if (this.#isStoreFailureLogged) this.#log.info({ issuer: this.#issuer }, messages.storeRecovered)
    this.#isStoreFailureLogged = false
  }

  /** Logs each reason once. */
  storedKeysIgnored(reason: string): void {
    if (this.#loggedReasons.has(reason)) return
    this.#loggedReasons.add(reason)
    this.#log.warn({ issuer: this.#issuer, reason }, messages.storedKeysIgnored)
  }

  servedStale(kid: string | undefined, age: number): void {
    if (!diagnostics.servedStale.hasSubscribers) return
    diagnostics.servedStale.publish({ issuer: this.#issuer, kid: truncateKid(kid), age })
  }

  unknownKid(kid: string): void {
    if (!diagnostics.unknownKid.hasSubscribers) return
    diagnostics.unknownKid.publish({ issuer: this.#issuer, kid: truncateKid(kid) })
  }

  missingKid(): void {
    if (!this.#isMissingKidLogged) this.#log.warn({ issuer: this.#issuer }, messages.tokenWithoutKid)
    this.#isMissingKidLogged = true
  }

  /** Keys for other purposes are normal in a set: Keycloak publishes keys for encryption, and Entra keys for other issuers. */
  #logSkipped(skipped: readonly SkippedKey[]): void {
    const issuer = this.#issuer
    const unusable = skipped.filter(({ reason }) => !isNormal(reason))
    if (unusable.length > 0 && !isDeepStrictEqual(unusable, this.#unusable)) {
      this.#log.warn({ issuer, keys: unusable.slice(0, maxListed) }, messages.keysSkipped(unusable.length))
    }
    this.#unusable = unusable
    const others = skipped.filter(({ reason }) => isNormal(reason))
    if (others.length > 0 && others.length !== this.#otherKeys) {
      this.#log.debug({ issuer, keys: others.slice(0, maxListed) }, messages.otherKeysSkipped(others.length))
    }
    this.#otherKeys = others.length
  }
}

function isNormal(reason: string): boolean {
  return reason === normalReasons.encryption || reason === normalReasons.otherIssuer
}
