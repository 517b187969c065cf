import type { IncomingHttpHeaders } from 'node:http'
import type { JwksAuthError } from '../errors.ts'
import type { ClaimFailure, ClaimRules } from '../jwt/claims.ts'
import type { AccessTokenClaims, UnverifiedToken } from '../jwt/token.ts'
import * as messages from '../log.ts'
import type { Log } from '../log.ts'
import type { IssuerSettings } from '../options/issuer-options.ts'
import { findShortTimes, type ShortTime } from '../options/times.ts'
import { maxListed, warning, type Hint } from './hint.ts'
import { explainProof, type ProofMistake } from './proofs.ts'
import { explainMalformedToken, explainUnknownIssuer, explainUnverified } from './unverified-tokens.ts'
import { explainClaims, explainMilliseconds, explainRule, type RuleRequirements } from './verified-tokens.ts'

/** Maximum number of hints. Names of claims are subjects, and a function `issuers` can return ever other names. */
const maxHints = 100
/** Maximum number of tokens of a kind that are examined in a second. */
const maxExamined = 10

/**
 * Explains common mistakes in the log, each once. Only refused tokens are examined, and no more than ten verified and ten other ones in a
 * second. Text of a token is in the log only where it is compared with an option: the beginning of an `iss`, `aud`, `kid` or `alg`.
 */
export class Hints {
  readonly #issuers: readonly IssuerSettings[]
  readonly #log: Log
  readonly #given = new Set<string>()
  readonly #unverified = new Limiter()
  readonly #verified = new Limiter()

  /** @param issuers - The configured issuers. Empty if a function resolves them. */
  constructor(issuers: readonly IssuerSettings[], log: Log) {
    this.#issuers = issuers
    this.#log = log
  }

  /** @param times - Options that are probably meant in seconds. */
  shortTimes(times: readonly ShortTime[]): void {
    for (const { option, value } of times) {
      this.#give(warning(`time ${option}`, { option, value }, messages.shortTime(option, value)))
    }
  }

  /** A preflight can't carry a token. */
  missingToken({ method, headers }: { method: string; headers: IncomingHttpHeaders }): void {
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return
    this.#give(warning('preflight', {}, messages.preflight))
  }

  /** @param value - What `getToken` returned instead of text. */
  tokenNotText(value: unknown): void {
    this.#give(warning('tokenNotText', {}, messages.tokenNotText(typeof value)))
  }

  malformedToken(raw: string): void {
    if (!this.#unverified.allows()) return
    const audiences = this.#issuers.flatMap(({ rules }) => rules.audience || [])
    this.#give(explainMalformedToken(raw, audiences.slice(0, maxListed)))
  }

  unknownIssuer(token: UnverifiedToken): void {
    if (!this.#unverified.allows()) return
    const issuers = this.#issuers.map(({ issuer }) => issuer)
    this.#give(explainUnknownIssuer(token, issuers))
  }

  /** No key of the issuer verified the token. */
  unverified(refusal: JwksAuthError, token: UnverifiedToken & { readonly token: string }): void {
    if (this.#unverified.allows()) this.#give(explainUnverified(refusal, token))
  }

  /** @param now - Milliseconds since the epoch. */
  refused(failure: ClaimFailure, rules: ClaimRules, claims: UnverifiedToken['claims'], now: number): void {
    if (!this.#verified.allows()) return
    for (const hint of explainClaims(failure, rules, claims, now)) this.#give(hint)
  }

  /** A proof of possession was refused, after its token was verified. */
  refusedProof(mistake: ProofMistake): void {
    if (this.#verified.allows()) this.#give(explainProof(mistake))
  }

  /** A callback of the application returned something other than a boolean. */
  notBoolean(callback: 'check' | 'isRevoked', value: unknown): void {
    if (typeof value === 'boolean') return
    this.#give(warning(callback, {}, messages.notBoolean(callback, typeof value)))
  }

  /** A rule of `authorize` refused a token. */
  refusedByRule(rule: RuleRequirements, scopeClaims: readonly string[], claims: AccessTokenClaims): void {
    if (!this.#verified.allows()) return
    this.shortTimes(findShortTimes('authorize.', rule))
    this.#give(explainRule(rule, scopeClaims, claims))
  }

  /** A token whose `exp` is in milliseconds is accepted, and never expires. */
  neverExpiring({ iss }: UnverifiedToken['claims']): void {
    this.#give(explainMilliseconds(iss, 'exp'))
  }

  #give(hint: Hint | undefined): void {
    if (!hint || this.#given.has(hint.subject) || this.#given.size === maxHints) return
    this.#given.add(hint.subject)
    this.#log[hint.level](hint.details, hint.message)
  }
}

/** Limits how often something is done in a second. */
class Limiter {
  #secondStartedAt = -Infinity
  #count = 0

  /** Uses the monotonic clock, because a wall clock that is set back would end all hints. */
  allows(): boolean {
    const now = performance.now()
    if (now - this.#secondStartedAt >= 1_000) {
      this.#secondStartedAt = now
      this.#count = 0
    }
    this.#count += 1
    return this.#count <= maxExamined
  }
}
