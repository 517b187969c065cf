import { isDeepStrictEqual } from 'node:util'
import { diagnostics, kidForDisplay } from '../channels.ts'
import type { SkippedKey, VerificationKey } from './jwk.ts'

/** Where the log lines go: a pino logger, or anything like it. */
export interface Log {
  warn(details: object, message: string): void
  info(details: object, message: string): void
  debug(details: object, message: string): void
}

/** What there is to tell of a good answer. */
interface Answer {
  readonly kids: readonly string[]
  readonly skipped: readonly SkippedKey[]
}

/** A log line names so many keys at most. */
const mostNamed = 20

const withoutKid =
  'a token without kid was refused, since nothing in it says which key to take; if the issuer makes such tokens, ' +
  'have it name its key in the header and in the JWK Set (RFC 7515 section 4.1.4)'

/**
 * What is told of an issuer's keys, in log lines and events: never key material, and of the issuer's own text only the
 * beginnings of `kid`, `kty`, `crv`, `alg` and `use`.
 */
export class KeyReport {
  readonly #issuer: string
  readonly #log: Log
  #unusable: readonly SkippedKey[] = []
  #forEncryption = 0
  #isOut = false
  #isWithoutKidTold = false

  constructor(issuer: string, log: Log) {
    this.#issuer = issuer
    this.#log = log
  }

  /** @param removed - The keys that were known before and are no longer. */
  fetched({ kids, skipped }: Answer, removed: readonly VerificationKey[], duration: number): void {
    const issuer = this.#issuer
    if (this.#isOut) this.#log.info({ issuer }, 'the issuer answers again')
    this.#isOut = false
    this.#tellSkipped(skipped)
    if (diagnostics.keysFetched.hasSubscribers) {
      diagnostics.keysFetched.publish({ issuer, kids: kids.map((kid) => kidForDisplay(kid)), duration })
    }
    // A key without alg is one for each algorithm that it fits.
    for (const kid of new Set(removed.map((key) => key.kid))) {
      diagnostics.keyRemoved.publish({ issuer, kid: kidForDisplay(kid) })
    }
  }

  /** @param skipped - The keys of an answer in which none can be used. */
  failed(reason: string, skipped: readonly SkippedKey[], duration: number): void {
    const issuer = this.#issuer
    const details = { issuer, reason, ...(skipped.length > 0 && { keys: skipped.slice(0, mostNamed) }) }
    if (!this.#isOut) this.#log.warn(details, "the issuer's keys can't be fetched")
    this.#isOut = true
    diagnostics.refreshFailed.publish({ issuer, reason, duration })
  }

  servedStale(kid: string, age: number): void {
    if (!diagnostics.servedStale.hasSubscribers) return
    diagnostics.servedStale.publish({ issuer: this.#issuer, kid: kidForDisplay(kid), age })
  }

  /** Strangers can send such tokens too, so the line says what to look at and not whose fault it is. */
  tokenWithoutKid(): void {
    if (!this.#isWithoutKidTold) this.#log.warn({ issuer: this.#issuer }, withoutKid)
    this.#isWithoutKidTold = true
  }

  unknownKid(kid: string): void {
    if (!diagnostics.unknownKid.hasSubscribers) return
    diagnostics.unknownKid.publish({ issuer: this.#issuer, kid: kidForDisplay(kid) })
  }

  /** A set with keys for encryption beside the others is as it should be: Keycloak's are. */
  #tellSkipped(skipped: readonly SkippedKey[]): void {
    const issuer = this.#issuer
    const unusable = skipped.filter(({ use }) => use !== 'enc')
    if (unusable.length > 0 && !isDeepStrictEqual(unusable, this.#unusable)) {
      const keys = unusable.slice(0, mostNamed)
      this.#log.warn({ issuer, keys }, `${unusable.length} of the issuer's keys are not used`)
    }
    this.#unusable = unusable
    const count = skipped.length - unusable.length
    if (count > 0 && count !== this.#forEncryption) {
      this.#log.debug({ issuer }, `${count} of the issuer's keys are for encryption, and not used`)
    }
    this.#forEncryption = count
  }
}
