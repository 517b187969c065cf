import { explainProof, type ProofMistake } from './proofs.ts'
import { diffIssuers, printableIssuer, type IssuerDiff } from '../jwks/issuer-diff.ts'
import type { ClaimFailure, ClaimRules } from '../jwt/claims.ts'
import { decodeObject } from '../jwt/token.ts'
import * as messages from '../log.ts'
import type { Log } from '../log.ts'
import type { IssuerSettings } from '../options/issuer-options.ts'

/** The subjects of hints. A hint is given once for each. */
type Subject =
  | 'clockSkew'
  | 'encryptedToken'
  | 'idToken'
  | 'invalidClaim'
  | 'literalUndefined'
  | 'opaqueToken'
  | 'issuerElsewhere'
  | 'issuerSpelling'
  | 'unknownIssuer'

const issuerSubjects: readonly Subject[] = ['issuerElsewhere', 'issuerSpelling', 'unknownIssuer']

type Claims = Readonly<Record<string, unknown>>

/** Maximum number of unverified tokens that are examined in a second. */
const maxExamined = 10
/** A longer `iss` is not compared with the configured issuers. */
const maxIssLength = 200
/** Maximum number of configured issuers that an `iss` is compared with. */
const maxCompared = 100
/** Maximum number of issuers or audiences in a log line. */
const maxListed = 20

/**
 * Explains common mistakes of configuration in the log. Each hint is logged once. Only refused tokens are examined. The log contains
 * no text of a token other than the beginning of an `iss` that is similar to a configured issuer.
 */
export class Hints {
  readonly #issuers: readonly IssuerSettings[]
  readonly #log: Log
  readonly #given = new Set<string>()
  #secondStartedAt = -Infinity
  #examined = 0

  /** @param issuers - The configured issuers. Empty if a function resolves them. */
  constructor(issuers: readonly IssuerSettings[], log: Log) {
    this.#issuers = issuers.slice(0, maxCompared)
    this.#log = log
  }

  malformedToken(raw: string): void {
    if (!this.#mayExamine()) return
    const parts = raw.split('.', 6).length
    const audience = this.#audiences()
    if (raw === 'undefined' || raw === 'null') {
      this.#warn('literalUndefined', {}, messages.literalUndefined(raw))
    } else if (parts === 5 && isEncrypted(raw)) {
      this.#warn('encryptedToken', { audience }, messages.encryptedToken)
    } else if (parts !== 3 && raw !== '') {
      this.#warn('opaqueToken', { audience }, messages.opaqueToken)
    }
  }

  unknownIssuer(iss: unknown): void {
    if (issuerSubjects.every((subject) => this.#given.has(subject)) || !this.#mayExamine()) return
    const similar = typeof iss === 'string' && iss.length <= maxIssLength ? this.#mostSimilar(iss) : undefined
    if (similar) {
      this.#warn(
        similar.isElsewhere ? 'issuerElsewhere' : 'issuerSpelling',
        { issuer: similar.issuer, iss: printableIssuer(iss as string) },
        messages.similarIssuer(similar.differences),
      )
    } else if (!this.#given.has('unknownIssuer')) {
      this.#given.add('unknownIssuer')
      const issuers = this.#issuers.slice(0, maxListed).map(({ issuer }) => issuer)
      this.#log.info({ issuers }, issuers.length > 0 ? messages.unknownIssuer : messages.unresolvedIssuer)
    }
  }

  /**
   * Explains why a token with a valid signature was refused.
   *
   * @param now - Milliseconds since the epoch.
   */
  refused({ refusal, claim }: ClaimFailure, rules: ClaimRules, claims: Claims, now: number): void {
    const { iss: issuer, iat } = claims
    const ahead = typeof iat === 'number' ? iat * 1000 - now : 0
    const isAhead = ahead > rules.clockTolerance && Number.isFinite(ahead)
    if (isAhead) {
      const seconds = Math.round(ahead / 1000)
      this.#warn('clockSkew', { issuer, seconds }, messages.clockSkew(seconds))
    }
    const { code } = refusal
    if ((code === 'invalid_audience' || code === 'invalid_claims') && isIdToken(claims)) {
      this.#warn('idToken', { issuer, audience: this.#audiences() }, messages.idToken)
    } else if (code === 'invalid_claims' && !(isAhead && claim === 'iat')) {
      this.#warn('invalidClaim', { issuer, claim }, messages.invalidClaim(claim))
    }
  }

  /** A proof of possession was refused, after its token was verified. */
  refusedProof(mistake: ProofMistake): void {
    const hint = explainProof(mistake)
    if (hint) this.#warn(hint.subject, hint.details, hint.message)
  }

  /** Uses the monotonic clock, because a wall clock that is set back would end all hints. */
  #mayExamine(): boolean {
    const now = performance.now()
    if (now - this.#secondStartedAt >= 1_000) {
      this.#secondStartedAt = now
      this.#examined = 0
    }
    this.#examined += 1
    return this.#examined <= maxExamined
  }

  #warn(subject: string, details: object, message: string): void {
    if (this.#given.has(subject)) return
    this.#given.add(subject)
    this.#log.warn(details, message)
  }

  #audiences(): string[] {
    return this.#issuers.flatMap(({ rules }) => rules.audience || []).slice(0, maxListed)
  }

  #mostSimilar(iss: string): IssuerDiff | undefined {
    const diffs = this.#issuers.flatMap(({ issuer }) => diffIssuers(iss, issuer) ?? [])
    return diffs.find(({ isElsewhere }) => !isElsewhere) ?? diffs[0]
  }
}

/** RFC 7516 section 4.1.2. */
function isEncrypted(raw: string): boolean {
  return typeof decodeObject(raw.slice(0, raw.indexOf('.')))?.enc === 'string'
}

/**
 * Recognises ID tokens by OpenID Connect Core section 2 and by the claims of Keycloak (`typ`) and Cognito (`token_use`). Access tokens
 * have a scope or a client.
 */
function isIdToken({ typ, token_use: use, nonce, at_hash: at, c_hash: code, ...claims }: Claims): boolean {
  if (typ === 'ID' || use === 'id') return true
  return (nonce ?? at ?? code) !== undefined && (claims.scope ?? claims.scp ?? claims.client_id) === undefined
}
