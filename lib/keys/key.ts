import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { asymmetricAlgorithms, canonicalAlgorithm, type AsymmetricAlgorithm } from '../algorithms.ts'
import { isObject } from '../json.ts'

/** A public key that was checked, for one algorithm. Equal keys of an issuer are the same object. */
export interface VerificationKey {
  readonly kid: string
  readonly alg: AsymmetricAlgorithm
  /** SubjectPublicKeyInfo as PEM. */
  readonly pem: string
}

/** Why a key of a set is never used. */
export class UnusableKey extends Error {}

const publicMembers = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] } as const
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Signatures by shorter keys are no longer believed (RFC 7518 section 3.3). */
const leastModulusLength = 2048

/**
 * Checks one member of a JWK Set (RFC 7517) and makes it a public key for each algorithm that it may verify:
 * the one that its `alg` names, else all that its type and curve fit.
 *
 * @throws {UnusableKey} with a reason that holds nothing of the key.
 */
export function importJwk(jwk: unknown): VerificationKey[] {
  if (!isObject(jwk)) throw new UnusableKey('it is not an object')
  const { kid } = jwk
  // A lone surrogate can be written in JSON but not in UTF-8, so no key cache can name it.
  if (typeof kid !== 'string' || !kid.isWellFormed()) throw new UnusableKey('its kid is not a string')
  checkPurpose(jwk)
  const algorithms = algorithmsOf(jwk)
  const pem = publicKeyOf(jwk).export({ type: 'spki', format: 'pem' }) as string
  return algorithms.map((alg) => ({ kid, alg, pem }))
}

/** RFC 7517 sections 4.2 and 4.3; a key that is no secret to anyone proves nothing. */
function checkPurpose({ use, key_ops: operations, ...jwk }: Record<string, unknown>): void {
  if (use !== undefined && use !== 'sig') throw new UnusableKey('its use is not sig')
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    throw new UnusableKey('its key_ops do not include verify')
  }
  if (secretMembers.some((member) => member in jwk)) throw new UnusableKey('it holds secret key material')
}

function algorithmsOf({ kty, crv, alg }: Record<string, unknown>): AsymmetricAlgorithm[] {
  const fitting = (Object.keys(asymmetricAlgorithms) as AsymmetricAlgorithm[]).filter((name) => {
    const shape: { kty: string; crv?: string } = asymmetricAlgorithms[name]
    return shape.kty === kty && (shape.crv === undefined || shape.crv === crv)
  })
  if (fitting.length === 0) throw new UnusableKey('its kty or crv is not supported')
  if (alg === undefined) return fitting
  const named = fitting.filter((name) => name === canonicalAlgorithm(alg))
  if (named.length === 0) throw new UnusableKey('its alg is not supported or does not fit its kty and crv')
  return named
}

/** Only the public members are looked at: a certificate beside them (x5c, x5u) has no say. */
function publicKeyOf(jwk: Record<string, unknown>): KeyObject {
  const kty = jwk.kty as keyof typeof publicMembers
  const members = publicMembers[kty].map((name) => [name, jwk[name]] as const)
  const key = createKey({ kty, ...(Object.fromEntries(members) as JsonWebKey) })
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails!
  if (kty === 'RSA') {
    if (modulusLength! < leastModulusLength) throw new UnusableKey('its modulus is under 2048 bits')
    // With the exponent 1 a signature is the message itself.
    if (publicExponent! < 3n) throw new UnusableKey('its exponent is under 3')
  }
  return key
}

function createKey(key: JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch {
    throw new UnusableKey('it is malformed')
  }
}
