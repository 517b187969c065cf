import { refusals } from '../errors.ts'
import type { MaybePromise } from '../hook.ts'
import type { Scheme } from '../http/authorization-header.ts'
import type { ClaimRules } from '../jwt/claims.ts'
import type { AccessToken } from '../jwt/token.ts'
import type { Log } from '../log.ts'
import type { SenderConstraintSettings } from '../options/sender-constraint-options.ts'
import { certificateThumbprint } from './client-certificate.ts'
import { DPoP } from './dpop.ts'
import type { ProofFailure } from './dpop-proof.ts'
import type { TokenRequest } from './request.ts'

/** The members of the claim `cnf` that are known here. Their types were checked with the claims. */
interface Confirmation {
  /** The thumbprint of a DPoP key (RFC 9449 section 6.1). */
  readonly jkt?: string
  /** The thumbprint of a client certificate (RFC 8705 section 3.1). */
  readonly 'x5t#S256'?: string
}

const notBound: ProofFailure = { refusal: refusals.binding }
const withoutOption = {
  dpop: { ...notBound, missingOption: 'dpop' },
  mtls: { ...notBound, missingOption: 'mtls' },
} as const satisfies Record<string, ProofFailure>

/** Checks that the client possesses the keys to which its token is bound (RFC 7800). A bound token is no bearer token. */
export class PossessionCheck {
  readonly #settings: SenderConstraintSettings
  readonly #dpop: DPoP | undefined
  /** Whether every token must be bound. */
  readonly #isRequired: boolean

  /** @param timeout - How long a store of used proofs may take, in milliseconds. */
  constructor(settings: SenderConstraintSettings, timeout: number, log: Log) {
    const { dpop, mtls } = settings
    this.#settings = settings
    this.#dpop = dpop && dpop.mode !== 'unchecked' ? new DPoP(dpop, timeout, log) : undefined
    this.#isRequired = dpop?.mode === 'required' || mtls?.mode === 'required'
  }

  /** Whether a token has to be checked. An unbound bearer token costs this question only. */
  concerns({ claims }: AccessToken, scheme: Scheme | undefined): boolean {
    return claims.cnf !== undefined || scheme === 'DPoP' || this.#isRequired
  }

  /** Returns undefined if the client has proven all that the token and the options demand. */
  check(
    { claims, raw }: AccessToken,
    scheme: Scheme | undefined,
    request: TokenRequest,
    { clockTolerance }: ClaimRules,
  ): MaybePromise<ProofFailure | undefined> {
    const { jkt, 'x5t#S256': x5t } = (claims.cnf ?? {}) as Confirmation
    const { dpop, mtls } = this.#settings
    const needsProof = jkt !== undefined && dpop?.mode !== 'unchecked'
    const needsCertificate = x5t !== undefined && mtls?.mode !== 'unchecked'
    if (this.#isRequired && !this.#hasRequiredBinding(jkt, x5t)) return notBound
    // This scheme is for bound tokens only (RFC 9449 section 7.1).
    if (scheme === 'DPoP' && jkt === undefined && this.#dpop) return notBound
    if (needsProof && !this.#dpop) return withoutOption.dpop
    if (needsProof && !isProofPresented(scheme, request)) return notBound
    const checkProof = (): MaybePromise<ProofFailure | undefined> =>
      needsProof
        ? this.#dpop!.verify({ request, accessToken: raw, jkt, clockTolerance, now: Date.now() })
        : undefined
    if (!needsCertificate) return checkProof()
    if (!mtls) return withoutOption.mtls
    // The proof comes last, because checking it uses it up.
    const onCertificate = (thumbprint: string | undefined): MaybePromise<ProofFailure | undefined> =>
      thumbprint === x5t ? checkProof() : notBound
    const thumbprint = certificateThumbprint(mtls, request)
    return thumbprint instanceof Promise ? thumbprint.then(onCertificate) : onCertificate(thumbprint)
  }

  /** The nonce for an answer, if it needs one. */
  nonceFor(request: TokenRequest, isRefused: boolean): string | undefined {
    return this.#dpop?.nonceFor(request, isRefused)
  }

  /** Where both kinds of binding are required, either is enough. */
  #hasRequiredBinding(jkt: string | undefined, x5t: string | undefined): boolean {
    const { dpop, mtls } = this.#settings
    return (
      (jkt !== undefined && dpop?.mode === 'required') || (x5t !== undefined && mtls?.mode === 'required')
    )
  }
}

/** A token that `getToken` returned has no scheme. There the DPoP header says that the client presents a proof. */
function isProofPresented(scheme: Scheme | undefined, { headers }: TokenRequest): boolean {
  return scheme === 'DPoP' || (scheme === undefined && headers.dpop !== undefined)
}
