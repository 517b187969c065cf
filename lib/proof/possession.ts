import { refusals, type Refusal } from '../errors.ts'
import type { AccessToken } from '../jwt/token.ts'
import type { SenderConstraintSettings } from '../options/sender-constraint-options.ts'

/** The members of the claim `cnf` that are known here. Their types were checked with the claims. */
interface Confirmation {
  /** The thumbprint of a DPoP key (RFC 9449 section 6.1). */
  readonly jkt?: string
  /** The thumbprint of a client certificate (RFC 8705 section 3.1). */
  readonly 'x5t#S256'?: string
}

/** Checks that the client possesses the keys to which its token is bound (RFC 7800). A bound token is no bearer token. */
export class PossessionCheck {
  readonly #settings: SenderConstraintSettings

  constructor(settings: SenderConstraintSettings) {
    this.#settings = settings
  }

  /** Whether a token has to be checked. A bearer token pays for this question only. */
  concerns({ claims }: AccessToken): boolean {
    return claims.cnf !== undefined
  }

  check({ claims }: AccessToken): Refusal | undefined {
    const { jkt, 'x5t#S256': x5t } = claims.cnf as Confirmation
    const { dpop, mtls } = this.#settings
    if (jkt !== undefined && dpop === undefined) return refusals.binding
    return x5t !== undefined && mtls === undefined ? refusals.binding : undefined
  }
}
