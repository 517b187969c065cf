import { checkClaims } from './checks.ts'
import { JwksAuthError, refusals } from './errors.ts'
import { createIssuer, type Issuer, type IssuerContext } from './issuers.ts'
import type { IssuerSettings } from './issuer-settings.ts'
import { deepFreeze } from './json.ts'
import { readToken, type AccessTokenClaims, type JoseHeader } from './token.ts'

/** A verified access token. */
export interface AccessToken {
  readonly claims: AccessTokenClaims
  readonly header: JoseHeader
  /** The token as it came. */
  readonly raw: string
}

/** An OAuth 2.0 resource server's verdict on access tokens, without a framework. */
export class ResourceServer {
  readonly #issuers: ReadonlyMap<unknown, Issuer>

  constructor(issuers: readonly IssuerSettings[], context: IssuerContext) {
    this.#issuers = new Map(issuers.map((settings) => [settings.issuer, createIssuer(settings, context)]))
  }

  /**
   * Verifies an access token. The issuer that it names chooses among the configured ones and does nothing else:
   * no address is ever made of what stands in a token.
   *
   * @throws {JwksAuthError}
   */
  async verify(raw: unknown): Promise<AccessToken> {
    const token = readToken(raw)
    const issuer = this.#issuers.get(token.claims.iss)
    if (!issuer) throw new JwksAuthError(refusals.claims)
    const verifySignature = await issuer.verifierFor(token)
    if (!verifySignature) throw new JwksAuthError(refusals.noKey)
    if (!verifySignature(token.raw)) throw new JwksAuthError(refusals.signature)
    return deepFreeze({
      claims: checkClaims(issuer.rules, token.header, token.claims, Date.now()),
      header: token.header as JoseHeader,
      raw: token.raw,
    })
  }

  /** Sees to it that the keys of every issuer are known. */
  async prefetch(): Promise<void> {
    await Promise.all(Array.from(this.#issuers.values(), (issuer) => issuer.prefetch()))
  }

  /** Ends the fetches in flight. */
  close(): void {
    for (const issuer of this.#issuers.values()) issuer.close()
  }
}
