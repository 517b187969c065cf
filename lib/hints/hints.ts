import { wrongClaim, type ClaimRules } from '../jwt/claims.ts'
import type { Refusal } from '../errors.ts'
import type { IssuerSettings } from '../options/issuer-options.ts'
import type { Log } from '../jwks/jwks-reporter.ts'
import { nearMiss, type NearMiss } from './issuer-diff.ts'
import { readObject } from '../jwt/token.ts'

/** What a hint is about; each is given once. */
type Subject =
  'claim' | 'clock' | 'elsewhere' | 'encrypted' | 'idToken' | 'opaque' | 'spelling' | 'stranger' | 'word'

const aboutIssuers: readonly Subject[] = ['elsewhere', 'spelling', 'stranger']

type Claims = Readonly<Record<string, unknown>>

/** Tokens that were not verified are looked at so often in a second, however many strangers send. */
const mostLooks = 10
/** An issuer that is longer is like none of ours. */
const longestIssuer = 200
/** So many of the configured issuers are compared with, and named. */
const mostCompared = 100
const mostNamed = 20
/** Characters of an `iss` in a log line. */
const longestShown = 100

const anybodys = '; the token was not verified, so anybody may have made it'

/**
 * What those who set a server up are told, beside the answer that their client gets: a log line about each usual
 * mistake, once. Accepted tokens never get here. Of a token no line holds more than the beginning of an `iss` that is
 * nearly a configured issuer.
 */
export class Hints {
  readonly #issuers: readonly IssuerSettings[]
  readonly #log: Log
  readonly #given = new Set<Subject>()
  #secondBegan = -Infinity
  #looks = 0

  constructor(issuers: readonly IssuerSettings[], log: Log) {
    this.#issuers = issuers.slice(0, mostCompared)
    this.#log = log
  }

  /** About what came instead of a readable JWT. */
  unreadable(raw: string): void {
    if (!this.#mayLook()) return
    const parts = raw.split('.', 6).length
    if (raw === 'undefined' || raw === 'null') {
      this.#warn(
        'word',
        {},
        `the word "${raw}" came in place of a token: a client sends a variable that is not set${anybodys}`,
      )
    } else if (parts === 5 && isEncrypted(raw)) {
      this.#warn(
        'encrypted',
        { audience: this.#audiences() },
        'an encrypted token (JWE) came, which nobody but its recipient can read; have the client request its access ' +
          'token for this API (Auth0 encrypts those that are requested without audience), or the issuer encrypt none' +
          anybodys,
      )
    } else if (parts !== 3 && raw !== '') {
      this.#warn(
        'opaque',
        { audience: this.#audiences() },
        'a token came that is not a JWT, which only its issuer can read; have the client request an access token for ' +
          'this API (Auth0: with audience; Okta: from a custom authorization server; Google: use the ID token)' +
          anybodys,
      )
    }
  }

  /** About an `iss` that names none of the configured issuers. */
  unknownIssuer(iss: unknown): void {
    if (aboutIssuers.every((subject) => this.#given.has(subject)) || !this.#mayLook()) return
    const near = typeof iss === 'string' && iss.length <= longestIssuer ? this.#nearest(iss) : undefined
    if (near) {
      const words = near.differences.join(', ')
      this.#warn(
        near.isElsewhere ? 'elsewhere' : 'spelling',
        { issuer: near.issuer, iss: shown(iss as string) },
        `a token came whose iss is not the configured issuer; they differ in: ${words}${anybodys}`,
      )
    } else if (!this.#given.has('stranger')) {
      this.#given.add('stranger')
      const issuers = this.#issuers.slice(0, mostNamed).map(({ issuer }) => issuer)
      const message =
        issuers.length > 0
          ? 'a token came whose iss is like none of the configured issuers'
          : 'a token came whose iss the function "issuers" does not know'
      this.#log.info({ issuers }, message + anybodys)
    }
  }

  /**
   * About a token that its issuer did sign.
   *
   * @param now - Milliseconds since the epoch.
   */
  refused({ code }: Refusal, rules: ClaimRules, header: Claims, claims: Claims, now: number): void {
    const { iss: issuer, iat } = claims
    const ahead = typeof iat === 'number' ? iat * 1000 - now : 0
    if (ahead > rules.clockTolerance && Number.isFinite(ahead)) {
      const seconds = Math.round(ahead / 1000)
      this.#warn(
        'clock',
        { issuer, seconds },
        `the clocks of the issuer and of this server are at least ${seconds} seconds apart: a verified token has its ` +
          'iat in the future; set the clock that is wrong, or raise clockTolerance',
      )
    }
    if ((code === 'invalid_audience' || code === 'invalid_claims') && isIdToken(claims)) {
      this.#warn(
        'idToken',
        { issuer, audience: this.#audiences() },
        'an ID token came, which is for the client that the user logged in at; have the client request an access ' +
          'token for this API, and send that',
      )
      return
    }
    const claim = code === 'invalid_claims' && !this.#given.has('claim') && wrongClaim(rules, header, claims)
    if (claim) {
      this.#warn(
        'claim',
        { issuer, claim },
        `a verified token was refused for its ${claim}, which is missing or not as the options want it`,
      )
    }
  }

  /** No clock that can be set back, which would end all looking. */
  #mayLook(): boolean {
    const now = performance.now()
    if (now - this.#secondBegan >= 1_000) {
      this.#secondBegan = now
      this.#looks = 0
    }
    this.#looks += 1
    return this.#looks <= mostLooks
  }

  #warn(subject: Subject, details: object, message: string): void {
    if (this.#given.has(subject)) return
    this.#given.add(subject)
    this.#log.warn(details, message)
  }

  #audiences(): string[] {
    return this.#issuers.flatMap(({ rules }) => rules.audience || []).slice(0, mostNamed)
  }

  #nearest(iss: string): NearMiss | undefined {
    const misses = this.#issuers.flatMap(({ issuer }) => nearMiss(iss, issuer) ?? [])
    return misses.find(({ isElsewhere }) => !isElsewhere) ?? misses[0]
  }
}

/** What may be seen of an `iss`: no character that a terminal or a log reads in a way of its own. */
function shown(iss: string): string | undefined {
  return /^[\x20-\x7e]+$/.test(iss) ? iss.slice(0, longestShown) : undefined
}

/** RFC 7516 section 4.1.2. */
function isEncrypted(raw: string): boolean {
  return typeof readObject(raw.slice(0, raw.indexOf('.')))?.enc === 'string'
}

/** By OpenID Connect Core section 2 or as Keycloak and Cognito write it; an access token tells its scope or client. */
function isIdToken({ typ, token_use: use, nonce, at_hash: at, c_hash: code, ...claims }: Claims): boolean {
  if (typ === 'ID' || use === 'id') return true
  return (nonce ?? at ?? code) !== undefined && (claims.scope ?? claims.scp ?? claims.client_id) === undefined
}
