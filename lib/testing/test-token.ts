import { constants, createHmac, KeyObject, sign, X509Certificate } from 'node:crypto'
import { canonicalAlgorithm, secretAlgorithms, type JwsAlgorithm } from '../jwt/algorithms.ts'
import { sha256 } from '../jwt/thumbprint.ts'
import { assertBoolean, assertRecord, invalidOption } from '../options/assert.ts'
import { assertAlgorithm, assertOptions, keyAlgorithms, type TestKey } from './test-key.ts'

/** The algorithms that a test issuer can sign with. */
export const issuerAlgorithms: readonly string[] = [...keyAlgorithms, ...Object.keys(secretAlgorithms)]

/**
 * Claims that are added to the default claims of a token or replace them. Any JSON value is allowed, including wrong types. A claim
 * that is `undefined` is left out of the token.
 */
export interface TestClaims {
  /** @defaultValue the issuer identifier */
  iss?: unknown
  /** @defaultValue the issuer's `audience` */
  aud?: unknown
  /** @defaultValue `'someone'` */
  sub?: unknown
  /** @defaultValue `'client'` */
  client_id?: unknown
  /** In seconds since 1970. @defaultValue now */
  iat?: unknown
  /** In seconds since 1970. @defaultValue now plus `expiresIn` */
  exp?: unknown
  /** In seconds since 1970. @defaultValue none */
  nbf?: unknown
  /** @defaultValue a random UUID */
  jti?: unknown
  /** What the token is bound to. @defaultValue none, or what `boundTo` says */
  cnf?: unknown
  /** Scopes, separated by spaces. @defaultValue none */
  scope?: unknown
  [claim: string]: unknown
}

/** Options of `TestIssuer.token`. */
export interface TestTokenOptions {
  /**
   * Header parameters that are added to the default ones (`alg`, `kid` and `typ: 'at+jwt'`) or replace them. They don't change how the
   * token is signed. A parameter that is `undefined` is left out.
   */
  header?: Readonly<Record<string, unknown>>
  /**
   * Milliseconds from now until the token expires. A negative number creates an expired token. `exp` is in seconds and is rounded down.
   * The application accepts the token for its `clockTolerance` (default 5,000) longer.
   *
   * @defaultValue 600,000
   */
  expiresIn?: number
  /**
   * Algorithm that the token is signed with. If the issuer has no key for it, a new key is created and published. HS algorithms use the
   * issuer's secret. `'none'` creates a token without a signature.
   *
   * @defaultValue the issuer's algorithm
   */
  algorithm?: JwsAlgorithm | 'Ed25519' | 'none'
  /**
   * Key to sign with instead of the issuer's: for example a previous key, or a key that is not published. Must not be given together
   * with `algorithm`.
   */
  key?: TestKey
  /**
   * Whether to make the signature invalid, so that no key verifies it. Must not be true if `algorithm` is `'none'`.
   *
   * @defaultValue false
   */
  forged?: boolean
  /** What the token is bound to (RFC 7800). It sets the claim `cnf`. */
  boundTo?: TestBinding
}

/** The keys that a token is bound to. A client created by `createDPoPClient` is one of these. */
export interface TestBinding {
  /** The thumbprint of a DPoP key (RFC 9449 section 6.1). */
  readonly jkt?: string
  /** A client certificate (RFC 8705 section 3.1): DER, PEM or an `X509Certificate`. */
  readonly certificate?: string | Uint8Array | X509Certificate
}

/** The claim `cnf` of a bound token. */
export function confirmationOf({ jkt, certificate }: TestBinding): object {
  if (certificate === undefined) return { jkt }
  const { raw } = certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate)
  return { jkt, 'x5t#S256': sha256(raw) }
}

/** Throws if an argument of `TestIssuer.token` is invalid. */
export function assertTokenOptions(claims: unknown, options: TestTokenOptions): void {
  assertRecord('token.claims', claims)
  assertOptions('token', options, ['header', 'expiresIn', 'algorithm', 'key', 'forged', 'boundTo'])
  const { header, expiresIn, algorithm, key, forged, boundTo } = options
  if (header !== undefined) assertRecord('token.header', header)
  if (expiresIn !== undefined && !Number.isSafeInteger(expiresIn)) {
    invalidOption('token.expiresIn', 'must be a whole number of milliseconds')
  }
  if (algorithm !== undefined) assertAlgorithm('token.algorithm', algorithm, [...issuerAlgorithms, 'none'])
  if (key !== undefined) assertKey('token.key', key)
  if (key !== undefined && algorithm !== undefined) {
    invalidOption('token.algorithm', 'must not be given together with "key"')
  }
  if (boundTo !== undefined && boundTo.jkt === undefined && boundTo.certificate === undefined) {
    invalidOption(
      'token.boundTo',
      'must be a client created by createDPoPClient, or an object with a jkt or a certificate',
    )
  }
  assertBoolean('token.forged', forged)
  if (forged === true && algorithm === 'none') {
    invalidOption('token.forged', 'must not be true if "algorithm" is none, which creates no signature')
  }
}

export function assertKey(name: string, key: unknown): asserts key is TestKey {
  const { algorithm, jwk, privateKey } = (key ?? {}) as Partial<TestKey>
  const isKey = privateKey instanceof KeyObject && typeof jwk?.kid === 'string'
  if (!isKey || !keyAlgorithms.includes(algorithm!))
    invalidOption(name, 'must be a key created by createTestKey')
}

/** Returns the JWS signature of data (RFC 7518 section 3, RFC 8037 section 3.1). */
export type Signer = (data: Buffer) => Buffer

export function keySigner({ algorithm, privateKey: key }: TestKey): Signer {
  if (canonicalAlgorithm(algorithm) === 'EdDSA') return (data) => sign(null, data, key)
  const hash = `sha${algorithm.slice(2)}`
  const options = {
    ES: { dsaEncoding: 'ieee-p1363' },
    PS: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
    RS: {},
  } as const
  return (data) => sign(hash, data, { key, ...options[algorithm.slice(0, 2) as keyof typeof options] })
}

export function secretSigner(algorithm: string, secret: string | Uint8Array): Signer {
  return (data) =>
    createHmac(`sha${algorithm.slice(2)}`, secret)
      .update(data)
      .digest()
}

export const noSignature: Signer = () => Buffer.alloc(0)

/** Returns a signer that inverts one bit of each signature. */
export function withInvalidSignature(signer: Signer): Signer {
  return (data) => {
    const signature = signer(data)
    signature[0]! ^= 1
    return signature
  }
}

/** Returns a token in compact serialization. Members that are `undefined` are left out. */
export function encodeToken(header: object, claims: object, signer: Signer): string {
  const signed = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${signed}.${signer(Buffer.from(signed)).toString('base64url')}`
}
