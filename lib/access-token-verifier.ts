import { TokenCache, type CacheSettings, type KnownToken } from './token-cache.ts'
import { claimsRefusal, isGoodButForTime, timesRefusal, type ClaimRules } from './jwt/claims.ts'
import { diagnostics, kidForDisplay } from './channels.ts'
import { JwksAuthError, refusals, type Refusal } from './errors.ts'
import { Hints } from './hints/hints.ts'
import type { Issuer, IssuerContext } from './issuers/issuer.ts'
import type { IssuerSettings } from './options/issuer-options.ts'
import { freezeDeeply } from './jwt/json.ts'
import type { KeyStatus } from './jwks/jwks-state.ts'
import type { IssuerFinder } from './options/types.ts'
import { Origins } from './origins.ts'
import {
  readToken,
  type AccessToken,
  type AccessTokenClaims,
  type JoseHeader,
  type UnverifiedToken,
} from './jwt/token.ts'
import { trustedIssuers, type TrustedIssuers } from './issuers/issuer-resolver.ts'
import type { Verifier } from './issuers/key-verifier.ts'

/** What the resource server needs beside its issuers. */
export interface ResourceServerContext extends Omit<IssuerContext, 'onRemoved'> {
  /** Undefined: each token is verified each time. */
  readonly cache: CacheSettings | undefined
  /** The token that credentials hold. */
  readonly tokenIn: (credentials: string) => string | JwksAuthError
}

/** A token on its way to a verdict. */
interface Candidate {
  readonly raw: string
  readonly token: UnverifiedToken
  /** Whose signature it has, where it was verified before. */
  readonly verifiedBy: Verifier | undefined
  /** Whose token it was seen not to be, by its signature or its `iss`. */
  readonly refusedBy: Verifier | undefined
  readonly startedAt: number
}

/** The token, where it is accepted, or why it isn't. */
export type Verdict = AccessToken | JwksAuthError

/** An OAuth 2.0 resource server's verdict on access tokens, without a framework. */
export class ResourceServer {
  readonly #issuers: TrustedIssuers
  readonly #origins = new Origins()
  readonly #cache: TokenCache | undefined
  readonly #hints: Hints
  readonly #tokenIn: ResourceServerContext['tokenIn']

  constructor(issuers: readonly IssuerSettings[] | IssuerFinder, context: ResourceServerContext) {
    const cache = context.cache && new TokenCache(context.cache)
    this.#cache = cache
    this.#tokenIn = context.tokenIn
    // Whom a function would find is not known beforehand.
    this.#hints = new Hints(typeof issuers === 'function' ? [] : issuers, context.log)
    this.#issuers = trustedIssuers(issuers, {
      ...context,
      onRemoved: (verifiers) => cache?.dropVerifiedBy(verifiers),
    })
  }

  /**
   * Verifies the access token in credentials, at once where nobody has to be asked. The issuer that it names chooses among those
   * of the application and does nothing else: no address is ever made here of what stands in a token.
   *
   * @throws {JwksAuthError} `jwks_unavailable`, as a promise.
   * @throws {FinderFailure} with what the application's own function threw.
   */
  verify(credentials: string): Verdict | Promise<Verdict> {
    const startedAt = performance.now()
    const known = this.#cache?.find(credentials)
    const recalled = known?.recall(credentials)
    if (recalled) return this.#judgeKnown(known!, recalled, startedAt)
    const raw = this.#tokenIn(credentials)
    if (raw instanceof JwksAuthError) return raw
    const matching = known && this.#cache!.recognize(known, raw, credentials)
    if (matching) return this.#judgeKnown(known, matching, startedAt)
    const origin = this.#origins.find(raw)
    const guess = origin && startedAt < origin.verifier.until ? origin.verifier : undefined
    const claims = guess?.verify(raw)
    if (claims && claims.iss === guess!.issuer) {
      return this.#judgeClaims(raw, origin!.header, claims as AccessTokenClaims, guess!, startedAt)
    }
    const token = readToken(raw)
    if (token) return this.#askForIssuer({ raw, token, verifiedBy: undefined, refusedBy: guess, startedAt })
    this.#hints.unreadable(raw)
    return new JwksAuthError(refusals.unreadable)
  }

  /** What may be repeated of a token, or of the one in credentials: the issuer that it names, if it is one of ours, and its kid. */
  describe(from: AccessToken | string | undefined): { issuer: string | undefined; kid: string | undefined } {
    const raw = typeof from === 'string' ? this.#tokenIn(from) : undefined
    const token = typeof from === 'object' ? from : typeof raw === 'string' ? readToken(raw) : undefined
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

  /** Ends the fetches in flight, and lets go of tokens. */
  close(): void {
    this.#cache?.forgetTexts()
    this.#issuers.close()
  }

  /** Of a token that is known there is no more to be asked than whether its key holds, and what time it is. */
  #judgeKnown(known: KnownToken, accessToken: AccessToken, startedAt: number): Verdict | Promise<Verdict> {
    const { verifier } = known
    if (startedAt < verifier.until) {
      if (known.isTimely(Date.now())) return accepted(accessToken, true, startedAt)
      return this.#judgeTimes(accessToken, verifier, startedAt)
    }
    const { raw } = accessToken
    return this.#askForIssuer({
      raw,
      token: accessToken,
      verifiedBy: verifier,
      refusedBy: undefined,
      startedAt,
    })
  }

  #askForIssuer(candidate: Candidate): Verdict | Promise<Verdict> {
    const issuer = this.#issuers.named(candidate.token.claims.iss)
    if (!(issuer instanceof Promise)) return this.#askForKey(candidate, issuer)
    return issuer.then((found) => this.#askForKey(candidate, found))
  }

  #askForKey(candidate: Candidate, issuer: Issuer | undefined): Verdict | Promise<Verdict> {
    const { header, claims } = candidate.token
    if (!issuer) {
      this.#hints.unknownIssuer(claims.iss)
      return new JwksAuthError(refusals.claims)
    }
    const verifier = issuer.verifierFor(header)
    if (!(verifier instanceof Promise)) return this.#judge(candidate, verifier)
    return verifier.then((found) => this.#judge(candidate, found))
  }

  #judge(
    { raw, token, verifiedBy, refusedBy, startedAt }: Candidate,
    verifier: Verifier | JwksAuthError,
  ): Verdict {
    if (verifier instanceof JwksAuthError) return verifier
    if (verifier === verifiedBy) return this.#judgeTimes(token as AccessToken, verifier, startedAt)
    if (verifier === refusedBy || !verifier.verify(raw)) return new JwksAuthError(refusals.signature)
    const { header, claims } = token as Omit<AccessToken, 'raw'>
    return this.#judgeClaims(raw, header, claims, verifier, startedAt)
  }

  /** Of a token whose signature is good. */
  #judgeClaims(
    raw: string,
    header: JoseHeader,
    claims: AccessTokenClaims,
    verifier: Verifier,
    startedAt: number,
  ): Verdict {
    const { rules } = verifier
    const now = Date.now()
    const refusal = claimsRefusal(rules, header, claims, now)
    if (refusal && !isGoodButForTime(rules, header, claims)) {
      return this.#refuse(refusal, rules, header, claims, now)
    }
    // A frozen header is one that was remembered, or a known token's.
    if (!Object.isFrozen(header)) {
      freezeDeeply(header)
      this.#origins.remember(raw, { header, verifier }, startedAt)
    }
    freezeDeeply(claims)
    const accessToken = Object.freeze({ claims, header, raw })
    this.#cache?.keep(accessToken, verifier, refusal === undefined)
    if (refusal) return this.#refuse(refusal, rules, header, claims, now)
    return accepted(accessToken, false, startedAt)
  }

  #judgeTimes(accessToken: AccessToken, { rules }: Verifier, startedAt: number): Verdict {
    const { header, claims } = accessToken
    const now = Date.now()
    const refusal = timesRefusal(rules, claims, now)
    if (!refusal) return accepted(accessToken, true, startedAt)
    this.#cache!.expire(accessToken.raw)
    return this.#refuse(refusal, rules, header, claims, now)
  }

  #refuse(
    refusal: Refusal,
    rules: ClaimRules,
    header: JoseHeader,
    claims: AccessTokenClaims,
    now: number,
  ): JwksAuthError {
    this.#hints.refused(refusal, rules, header, claims, now)
    return new JwksAuthError(refusal)
  }
}

function accepted(accessToken: AccessToken, cached: boolean, startedAt: number): AccessToken {
  if (diagnostics.tokenAccepted.hasSubscribers) {
    const { iss: issuer } = accessToken.claims
    const kid = kidForDisplay(accessToken.header.kid)
    diagnostics.tokenAccepted.publish({ issuer, kid, cached, duration: performance.now() - startedAt })
  }
  return accessToken
}
