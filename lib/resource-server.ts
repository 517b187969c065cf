import { TokenCache, type CacheSettings } from './cache.ts'
import { claimsRefusal, timesRefusal } from './checks.ts'
import { diagnostics, kidForDisplay } from './diagnostics.ts'
import { JwksAuthError, refusals } from './errors.ts'
import { Hints } from './hints.ts'
import type { Issuer, IssuerContext } from './issuers.ts'
import type { IssuerSettings } from './issuer-settings.ts'
import { freezeDeeply } from './json.ts'
import type { SignatureVerifier } from './jwt.ts'
import type { KeyStatus } from './keys/known-keys.ts'
import type { IssuerFinder } from './options.ts'
import { TokenReader, type AccessTokenClaims, type JoseHeader, type UnverifiedToken } from './token.ts'
import { trustedIssuers, type TrustedIssuers } from './trusted-issuers.ts'

/** A verified access token. */
export interface AccessToken {
  /** Deeply frozen. */
  readonly claims: AccessTokenClaims
  /** Deeply frozen. */
  readonly header: JoseHeader
  /** The token as it came. */
  readonly raw: string
}

/** What the resource server needs beside its issuers. */
export interface ResourceServerContext extends Omit<IssuerContext, 'onRemoved'> {
  /** Undefined: each token is verified each time. */
  readonly cache: CacheSettings | undefined
}

/** A token, and the verifier of its signature where that is known to be good. */
interface Candidate extends UnverifiedToken {
  readonly verifier?: SignatureVerifier
}

/** An OAuth 2.0 resource server's verdict on access tokens, without a framework. */
export class ResourceServer {
  readonly #issuers: TrustedIssuers
  readonly #reader = new TokenReader()
  readonly #cache: TokenCache | undefined
  readonly #hints: Hints

  constructor(issuers: readonly IssuerSettings[] | IssuerFinder, context: ResourceServerContext) {
    const cache = context.cache && new TokenCache(context.cache)
    this.#cache = cache
    // Whom a function would find is not known beforehand.
    this.#hints = new Hints(typeof issuers === 'function' ? [] : issuers, context.log)
    this.#issuers = trustedIssuers(issuers, {
      ...context,
      onRemoved: (verifiers) => cache?.dropVerifiedBy(verifiers),
    })
  }

  /**
   * Verifies an access token, at once where nobody has to be asked. The issuer that it names chooses among those
   * of the application and does nothing else: no address is ever made here of what stands in a token.
   *
   * @throws {JwksAuthError}
   * @throws {FinderFailure} with what the application's own function threw.
   */
  verify(raw: unknown): AccessToken | Promise<AccessToken> {
    const startedAt = diagnostics.tokenAccepted.hasSubscribers ? performance.now() : 0
    if (typeof raw !== 'string') throw new JwksAuthError(refusals.unreadable)
    const token: Candidate | undefined = this.#cache?.find(raw) ?? this.#reader.read(raw)
    if (!token) {
      this.#hints.unreadable(raw)
      throw new JwksAuthError(refusals.unreadable)
    }
    const issuer = this.#issuers.named(token.claims.iss)
    if (!(issuer instanceof Promise)) return this.#askForKey(raw, token, issuer, startedAt)
    return issuer.then((known) => this.#askForKey(raw, token, known, startedAt))
  }

  /** What of a token may be repeated: the issuer that it names, if it is one of ours, and its kid. */
  describe(raw: unknown): { issuer: string | undefined; kid: string | undefined } {
    const token = typeof raw === 'string' ? this.#reader.read(raw) : undefined
    const issuer = token && this.#issuers.has(token.claims.iss) ? (token.claims.iss as string) : undefined
    return { issuer, kid: kidForDisplay(token?.header.kid) }
  }

  /** What is known of the keys of each issuer that publishes them. */
  status(): KeyStatus[] {
    return this.#issuers.all().flatMap((issuer) => issuer.status() ?? [])
  }

  /** Sees to it that the keys of every issuer are known. */
  async prefetch(): Promise<void> {
    await Promise.all(this.#issuers.all().map((issuer) => issuer.prefetch()))
  }

  /** Ends the fetches in flight. */
  close(): void {
    this.#issuers.close()
  }

  #askForKey(
    raw: string,
    token: Candidate,
    issuer: Issuer | undefined,
    startedAt: number,
  ): AccessToken | Promise<AccessToken> {
    if (!issuer) {
      this.#hints.unknownIssuer(token.claims.iss)
      throw new JwksAuthError(refusals.claims)
    }
    const found = issuer.verifierFor(token.header)
    if (!(found instanceof Promise)) return this.#judge(raw, token, issuer, found, startedAt)
    return found.then((verifier) => this.#judge(raw, token, issuer, verifier, startedAt))
  }

  #judge(
    raw: string,
    token: Candidate,
    { rules }: Issuer,
    verifier: SignatureVerifier | undefined,
    startedAt: number,
  ): AccessToken {
    if (!verifier) throw new JwksAuthError(refusals.noKey)
    const cached = token.verifier === verifier
    if (!cached && !verifier(raw)) throw new JwksAuthError(refusals.signature)
    const header = token.header as JoseHeader
    const claims = token.claims as AccessTokenClaims
    const now = Date.now()
    const refusal = cached ? timesRefusal(rules, claims, now) : claimsRefusal(rules, header, claims, now)
    if (refusal) {
      this.#cache?.drop(raw)
      this.#hints.refused(refusal, rules, header, claims, now)
      throw new JwksAuthError(refusal)
    }
    if (!cached) {
      // A frozen header is one that was remembered.
      if (!Object.isFrozen(header)) {
        freezeDeeply(header)
        this.#reader.remember(raw, header)
      }
      freezeDeeply(claims)
      this.#cache?.keep(raw, { header, claims, verifier })
    }
    if (startedAt > 0) {
      const duration = performance.now() - startedAt
      const kid = kidForDisplay(header.kid)
      diagnostics.tokenAccepted.publish({ issuer: claims.iss, kid, cached, duration })
    }
    return Object.freeze({ claims, header, raw })
  }
}
