import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { asymmetricAlgorithms, canonicalAlgorithm, type AsymmetricAlgorithm } from '../jwt/algorithms.ts'
import { isObject } from '../jwt/json.ts'

/** Maximum number of JWKs of an issuer. Checking the members of more would block the process. */
export const maxKeys = 10_000

/** A published key for one algorithm. A key that an issuer keeps publishing stays the same object. */
export interface VerificationKey {
  /** A key without kid is for tokens without kid. */
  readonly kid: string | undefined
  readonly alg: AsymmetricAlgorithm
  /** The type and the public members of the key, as JSON. */
  readonly material: string
  /**
   * The key as SubjectPublicKeyInfo; undefined if the material is malformed. It is made at the first use, because making thousands
   * of keys at once would block the process.
   */
  readonly pem: string | undefined
}

/** The members of a JWK that describe its kind, shortened. */
export interface KeyKind {
  readonly kty?: string
  readonly crv?: string
  readonly alg?: string
  readonly use?: string
}

/** A published key that is never used. */
export interface SkippedKey extends KeyKind {
  readonly kid: string | undefined
  /** It contains nothing of the key. */
  readonly reason: string
}

/** The reasons of keys that are no mistake: they are published for other purposes. */
export const normalReasons = {
  encryption: 'it is for encryption',
  otherIssuer: 'it is for another issuer',
} as const

const publicMembers = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] } as const
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

const kindMembers = ['kty', 'crv', 'alg', 'use']
const maxKindLength = 32

/** The time of a verification grows with the square of the modulus. Signatures by shorter keys are not trusted (RFC 7518 section 3.3). */
const modulusBits = { min: 2_048, max: 8_192 }
/** The time of a verification grows with the length of the exponent. With the exponent 1 a signature equals the message. */
const exponent = { min: 3, maxBits: 31 }

/** Algorithms and curves that only encrypt or agree on keys (RFC 7518 section 4.1, RFC 8037 section 3.2). */
const encryptionAlgorithm = /^(RSA1_5|RSA-OAEP|ECDH-ES)/
const encryptionCurves: unknown[] = ['X25519', 'X448']

export const malformed = 'it is malformed'

/**
 * Checks a member of a JWK Set (RFC 7517). Its members are not copied, because there may be any number of them.
 *
 * @param issuer - The issuer that publishes the set.
 * @returns A key for each algorithm that the JWK may verify: the one of its `alg`, or all that its type and curve fit. A string
 * is the reason why the JWK can't be used.
 */
export function importJwk(jwk: unknown, issuer: string): VerificationKey[] | string {
  if (!isObject(jwk)) return 'it is not an object'
  const { kid } = jwk
  // JSON can express a lone surrogate, UTF-8 can't. So get-jwks could not make a cache key of it.
  if (kid !== undefined && !(typeof kid === 'string' && kid.isWellFormed())) return 'its kid is not a string'
  const wrongPurpose = findWrongPurpose(jwk, issuer)
  if (wrongPurpose !== undefined) return wrongPurpose
  const algorithms = algorithmsOf(jwk)
  if (typeof algorithms === 'string') return algorithms
  const wrongMaterial = findWrongMaterial(jwk)
  if (wrongMaterial !== undefined) return wrongMaterial
  const material = materialOf(jwk)
  return algorithms.map((alg) => publishedKey(kid, alg, material))
}

function publishedKey(kid: string | undefined, alg: AsymmetricAlgorithm, material: string): VerificationKey {
  let made: { pem: string | undefined } | undefined
  return {
    kid,
    alg,
    material,
    get pem() {
      made ??= { pem: createPem(material) }
      return made.pem
    },
  }
}

/** The kind of a JWK for a log line. */
export function kindOf(jwk: Readonly<Record<string, unknown>>): KeyKind {
  const kind: Record<string, string> = {}
  for (const name of kindMembers) {
    const value = jwk[name]
    if (typeof value === 'string') kind[name] = value.slice(0, maxKindLength)
  }
  return kind
}

/** RFC 7517 sections 4.2 and 4.3. A key whose private part is published proves nothing. */
function findWrongPurpose(jwk: Record<string, unknown>, issuer: string): string | undefined {
  const { use, key_ops: operations } = jwk
  // Some libraries write null for a member that a key does not have.
  if (privateMembers.some((member) => (jwk[member] ?? null) !== null)) return 'it holds secret key material'
  if (isForEncryption(jwk)) return normalReasons.encryption
  if (use !== undefined && use !== 'sig') return 'its use is not sig'
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return 'its key_ops do not include verify'
  }
  return jwk.issuer === undefined || isIssuerOf(jwk.issuer, issuer) ? undefined : normalReasons.otherIssuer
}

function isForEncryption({ kty, use, alg, crv }: Record<string, unknown>): boolean {
  if (use !== undefined) return use === 'enc'
  if (kty === 'OKP' && encryptionCurves.includes(crv)) return true
  return typeof alg === 'string' && encryptionAlgorithm.test(alg)
}

const anyTenant = '{tenantid}'

/**
 * Whether a JWK that names an issuer is for this one. The tenant-independent sets of Microsoft Entra have such keys, with a
 * placeholder for the tenant.
 */
function isIssuerOf(named: unknown, issuer: string): boolean {
  if (typeof named !== 'string' || !named.includes(anyTenant)) return named === issuer
  const start = named.indexOf(anyTenant)
  const end = named.slice(start + anyTenant.length)
  const tenant = issuer.slice(start, issuer.length - end.length)
  return /^[^/?#]+$/.test(tenant) && issuer === named.slice(0, start) + tenant + end
}

function algorithmsOf({ kty, crv, alg }: Record<string, unknown>): AsymmetricAlgorithm[] | string {
  const fitting = (Object.keys(asymmetricAlgorithms) as AsymmetricAlgorithm[]).filter((name) => {
    const shape = asymmetricAlgorithms[name]
    return shape.kty === kty && (shape.crv === undefined || shape.crv === crv)
  })
  if (fitting.length === 0) return 'its kty or crv is not supported'
  if (alg === undefined) return fitting
  const named = fitting.filter((name) => name === canonicalAlgorithm(alg))
  return named.length === 0 ? 'its alg is not supported or does not fit its kty and crv' : named
}

function findWrongMaterial(jwk: Record<string, unknown>): string | undefined {
  const members = publicMembers[jwk.kty as keyof typeof publicMembers]
  if (members.some((name) => typeof jwk[name] !== 'string')) return malformed
  return jwk.kty === 'RSA' ? findWrongRsa(jwk as { n: string; e: string }) : undefined
}

function findWrongRsa({ n, e }: { n: string; e: string }): string | undefined {
  const bits = bitLength(Buffer.from(n, 'base64url'))
  if (bits < modulusBits.min) return `its modulus is under ${modulusBits.min} bits`
  if (bits > modulusBits.max) return `its modulus is over ${modulusBits.max} bits`
  const bytes = Buffer.from(e, 'base64url')
  if (bitLength(bytes) > exponent.maxBits) return `its exponent is over ${exponent.maxBits} bits`
  const value = Number(`0x0${bytes.toString('hex')}`)
  return value < exponent.min ? `its exponent is under ${exponent.min}` : undefined
}

/** The length of an unsigned integer without leading zeros. */
function bitLength(bytes: Buffer): number {
  const start = bytes.findIndex((byte) => byte !== 0)
  return start === -1 ? 0 : (bytes.length - start) * 8 - (Math.clz32(bytes[start]!) - 24)
}

/** Only the public members are used. A certificate in the JWK (x5c, x5u) has no influence. */
function materialOf(jwk: Record<string, unknown>): string {
  const kty = jwk.kty as keyof typeof publicMembers
  return JSON.stringify({ kty, ...Object.fromEntries(publicMembers[kty].map((name) => [name, jwk[name]])) })
}

function createPem(material: string): string | undefined {
  try {
    const key = createPublicKey({ key: JSON.parse(material) as JsonWebKey, format: 'jwk' })
    return key.export({ type: 'spki', format: 'pem' }) as string
  } catch {
    return undefined
  }
}
