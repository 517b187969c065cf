import { LRUCache } from 'lru-cache'
import { invalidProof, refusals, type Refusal } from '../errors.ts'
import { importJwk } from '../jwks/jwk.ts'
import { canonicalAlgorithm } from '../jwt/algorithms.ts'
import { isObject } from '../jwt/json.ts'
import { createSignatureVerifier, type SignatureVerifier } from '../jwt/signature.ts'
import { jwkThumbprint, sha256 } from '../jwt/thumbprint.ts'
import { decodeObject } from '../jwt/token.ts'
import type { DPoPSettings } from '../options/sender-constraint-options.ts'
import type { Nonces } from './nonces.ts'
import type { TokenRequest } from './request.ts'
import { isTargetUri } from './target-uri.ts'

/** What a proof must fit. */
export interface ProofContext {
  readonly request: TokenRequest
  /** The access token of the request. */
  readonly accessToken: string
  /** The thumbprint of the key to which the token is bound. */
  readonly jkt: string
  /** In milliseconds. */
  readonly clockTolerance: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A proof that is valid if it was not used before. */
export interface VerifiedProof {
  readonly jti: string
  /** Undefined if nonces are off. */
  readonly nonce: string | undefined
  /** Until when it is valid, in milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Why a proof is refused. */
export interface ProofFailure {
  readonly refusal: Refusal
  /** The option that a bound token needs and that is not set. */
  readonly missingOption?: 'dpop' | 'mtls'
  /** The `htu` of a proof for another URL, and the URLs of the server. */
  readonly otherUrl?: { readonly htu: string; readonly baseUrls: readonly string[] }
  /** How far the `iat` is ahead of this server's clock, in milliseconds, if it is too far from it. */
  readonly clockSkew?: number
}

/** The key of a proof. */
interface ProofKey {
  /** The header that the key came in. */
  readonly header: string
  readonly thumbprint: string
  readonly verify: SignatureVerifier
}

/** The number of DPoP keys that are kept in memory, so that they aren't imported for each proof. */
const maxKeys = 1_000
const maxHeaderLength = 2_048
const maxJtiLength = 256

type Claims = Readonly<Record<string, unknown>>

/** Checks DPoP proofs (RFC 9449 section 4.3). Whether a proof was used before is checked by the caller. */
export class DPoPProofVerifier {
  readonly #settings: DPoPSettings
  readonly #nonces: Nonces | undefined
  /** By the thumbprint of the key. Only keys that a token is bound to are kept, so nobody can fill it with others. */
  readonly #keys = new LRUCache<string, ProofKey>({ max: maxKeys })

  constructor(settings: DPoPSettings, nonces: Nonces | undefined) {
    this.#settings = settings
    this.#nonces = nonces
  }

  verify(context: ProofContext): VerifiedProof | ProofFailure {
    // Node joins several headers with a comma, which no JWT contains.
    const { dpop: proof } = context.request.headers
    if (proof === undefined) return refused('there is no DPoP header')
    const [header, payload] = splitJwt(proof)
    const claims = payload === undefined ? undefined : decodeObject(payload)
    if (!claims) return refused('the DPoP header is not one JWT')
    const failure = this.#validateClaims(claims, context)
    if (failure) return failure
    const key = this.#keyOf(header!, context.jkt)
    if (typeof key === 'string') return refused(key)
    if (!key.verify(proof as string)) return refused('its signature is invalid')
    const { nonce } = claims
    if (this.#nonces && !(typeof nonce === 'string' && this.#nonces.accepts(nonce, context.now))) {
      return { refusal: refusals.nonce }
    }
    if (key.thumbprint !== context.jkt) return { refusal: refusals.binding }
    this.#keys.set(key.thumbprint, key)
    return {
      jti: claims.jti as string,
      nonce: this.#nonces && (nonce as string),
      expiresAt: this.#expiryOf(claims, context),
    }
  }

  #validateClaims(claims: Claims, context: ProofContext): ProofFailure | undefined {
    const { jti, htm, htu, ath, iat, exp, nbf } = claims
    const { request, accessToken, now, clockTolerance } = context
    if (typeof jti !== 'string' || jti === '' || jti.length > maxJtiLength) {
      return refused(`its jti is not a string of 1 to ${maxJtiLength} characters`)
    }
    if (htm !== request.method) return refused('its htm is not the method of the request')
    if (ath !== sha256(accessToken)) return refused('its ath is not the hash of the access token')
    if (!isFiniteNumber(iat)) return refused('its iat is not a number')
    const clockSkew = iat * 1000 - now
    if (clockSkew > clockTolerance) return { ...refused('its iat is in the future'), clockSkew }
    if (this.#expiryOf(claims, context) <= now) return { ...refused('its iat is too long ago'), clockSkew }
    // RFC 9449 defines neither, but a JWT with one must not be accepted at other times (RFC 7519 sections 4.1.4 and 4.1.5).
    if (exp !== undefined && !(isFiniteNumber(exp) && exp * 1000 + clockTolerance > now)) {
      return refused('its exp has passed')
    }
    if (nbf !== undefined && !(isFiniteNumber(nbf) && nbf * 1000 - clockTolerance <= now)) {
      return refused('its nbf lies ahead')
    }
    if (typeof htu !== 'string') return refused('its htu is not a string')
    const { baseUrls } = this.#settings
    if (isTargetUri(htu, baseUrls, request.originalUrl)) return undefined
    return { ...refused('its htu is not the URL of the request'), otherUrl: { htu, baseUrls } }
  }

  #expiryOf({ iat }: Claims, { clockTolerance }: ProofContext): number {
    return (iat as number) * 1000 + this.#settings.proofMaxAge + clockTolerance
  }

  /** The key in the header of a proof. A string is the reason why it can't be used. */
  #keyOf(header: string, jkt: string): ProofKey | string {
    const known = this.#keys.get(jkt)
    if (known?.header === header) return known
    const decoded = header.length > maxHeaderLength ? undefined : decodeObject(header)
    // With `b64` a JWS may have a payload that is not encoded (RFC 7797), which has to be understood, as `crit` says.
    if (!decoded || Object.hasOwn(decoded, 'crit') || Object.hasOwn(decoded, 'b64'))
      return 'its header can not be read'
    if (decoded.typ !== 'dpop+jwt') return 'its typ is not dpop+jwt'
    const algorithm = canonicalAlgorithm(decoded.alg)
    if (!this.#settings.algorithms.some((allowed) => allowed === algorithm)) return 'its alg is not allowed'
    const keys = isObject(decoded.jwk)
      ? importJwk({ ...decoded.jwk, kid: undefined, issuer: undefined }, '')
      : 'it is not an object'
    if (typeof keys === 'string') return `its jwk can not be used: ${keys}`
    const key = keys.find(({ alg }) => alg === algorithm)
    if (key?.pem === undefined) return 'its jwk does not fit its alg'
    return {
      // A copy, because a slice would keep the whole proof in memory.
      header: Buffer.from(header).toString(),
      thumbprint: jwkThumbprint(decoded.jwk as Record<string, unknown>),
      verify: createSignatureVerifier(key.pem, key.alg),
    }
  }
}

/** JSON can hold numbers that are read as Infinity. */
function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

function refused(reason: string): ProofFailure {
  return { refusal: invalidProof(reason) }
}

/** The header and the claims of a JWT in compact serialization, still encoded. Empty if it is none. */
function splitJwt(text: unknown): string[] {
  return typeof text === 'string' && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text) ? text.split('.', 2) : []
}
