import type { ClaimRules } from '../jwt/claims.ts'
import type { SignatureVerifier } from '../jwt/signature.ts'

/** One key of one issuer for one algorithm: the same object for as long as the issuer has the key. */
export interface Verifier {
  readonly issuer: string
  /** What its issuer's tokens must be like. */
  readonly rules: ClaimRules
  readonly verify: SignatureVerifier
  /** Milliseconds of the monotonic clock until which nobody has to be asked whether the key is still its issuer's. */
  until: number
}
