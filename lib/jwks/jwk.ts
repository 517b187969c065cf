import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { asymmetricAlgorithms, canonicalAlgorithm, type AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { isObject } from '../jwt/json.ts'

/** A published key for one algorithm. Keys of an issuer that are equal stay the same object. */
export interface VerificationKey {
  readonly kid: string
  readonly alg: AsymmetricAlgorithm
  /** What the key is made of, as JSON: its type and its public members. */
  readonly material: string
  /**
   * The key as SubjectPublicKeyInfo. Made when it is first asked for, since making thousands at once would keep the
   * process from everything else.
   *
   * @throws {UnusableKey} where the material makes no key.
   */
  readonly pem: string
}

/** What kind of key a JWK says it is: its members that are text, cut to what such names need. */
export interface KeyKind {
  readonly kty?: string
  readonly crv?: string
  readonly alg?: string
  readonly use?: string
}

/** A key that the issuer published and that is never used. */
export interface SkippedKey extends KeyKind {
  readonly kid: string | undefined
  readonly reason: string
}

/** Why a key of a set is never used; the reason holds nothing of the key. */
export class UnusableKey extends Error {}

const publicMembers = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] } as const
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

const kindMembers = ['kty', 'crv', 'alg', 'use']
const longestKind = 32

/** Signatures by shorter keys are no longer believed (RFC 7518 section 3.3); OpenSSL doesn't verify with longer ones. */
const modulusBits = { least: 2_048, most: 16_384 }
/** With the exponent 1 a signature is the message itself; one as long as the modulus makes verifying slow. */
const exponent = { least: 3n, most: 2n ** 64n }

/**
 * Checks one member of a JWK Set (RFC 7517) and makes it a key for each algorithm that it may verify: the one that
 * its `alg` names, else all that its type and curve fit.
 *
 * @throws {UnusableKey}
 */
export function importJwk(jwk: unknown): VerificationKey[] {
  if (!isObject(jwk)) throw new UnusableKey('it is not an object')
  const { kid } = jwk
  // A lone surrogate can be written in JSON but not in UTF-8, so no key cache can name it.
  if (typeof kid !== 'string' || !kid.isWellFormed()) throw new UnusableKey('its kid is not a string')
  checkPurpose(jwk)
  const algorithms = algorithmsOf(jwk)
  const material = materialOf(jwk)
  return algorithms.map((alg) => new PublishedKey(kid, alg, material))
}

class PublishedKey implements VerificationKey {
  readonly kid: string
  readonly alg: AsymmetricAlgorithm
  readonly material: string
  #pem: string | undefined

  constructor(kid: string, alg: AsymmetricAlgorithm, material: string) {
    this.kid = kid
    this.alg = alg
    this.material = material
  }

  get pem(): string {
    this.#pem ??= createPem(this.material)
    return this.#pem
  }
}

/** For a log line. */
export function kindOf(jwk: Readonly<Record<string, unknown>>): KeyKind {
  const kind: Record<string, string> = {}
  for (const name of kindMembers) {
    const value = jwk[name]
    if (typeof value === 'string') kind[name] = value.slice(0, longestKind)
  }
  return kind
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
    const shape = asymmetricAlgorithms[name]
    return shape.kty === kty && (shape.crv === undefined || shape.crv === crv)
  })
  if (fitting.length === 0) throw new UnusableKey('its kty or crv is not supported')
  if (alg === undefined) return fitting
  const named = fitting.filter((name) => name === canonicalAlgorithm(alg))
  if (named.length === 0) throw new UnusableKey('its alg is not supported or does not fit its kty and crv')
  return named
}

/** Only the public members are looked at: a certificate beside them (x5c, x5u) has no say. */
function materialOf(jwk: Record<string, unknown>): string {
  const kty = jwk.kty as keyof typeof publicMembers
  const members = publicMembers[kty].map((name) => [name, jwk[name]] as const)
  if (members.some(([, value]) => typeof value !== 'string')) throw new UnusableKey('it is malformed')
  if (kty === 'RSA') checkRsa(jwk as { n: string; e: string })
  return JSON.stringify({ kty, ...Object.fromEntries(members) })
}

function checkRsa({ n, e }: { n: string; e: string }): void {
  const bits = bitLength(Buffer.from(n, 'base64url'))
  if (bits < modulusBits.least) throw new UnusableKey(`its modulus is under ${modulusBits.least} bits`)
  if (bits > modulusBits.most) throw new UnusableKey(`its modulus is over ${modulusBits.most} bits`)
  const value = BigInt(`0x0${Buffer.from(e, 'base64url').toString('hex')}`)
  if (value < exponent.least) throw new UnusableKey('its exponent is under 3')
  if (value > exponent.most) throw new UnusableKey('its exponent is over 64 bits')
}

/** Of an unsigned integer, whatever zeros stand before it. */
function bitLength(bytes: Buffer): number {
  const start = bytes.findIndex((byte) => byte !== 0)
  return start === -1 ? 0 : (bytes.length - start) * 8 - (Math.clz32(bytes[start]!) - 24)
}

function createPem(material: string): string {
  try {
    const key = createPublicKey({ key: JSON.parse(material) as JsonWebKey, format: 'jwk' })
    return key.export({ type: 'spki', format: 'pem' }) as string
  } catch {
    throw new UnusableKey('it is malformed')
  }
}
