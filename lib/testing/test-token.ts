import { constants, createHmac, KeyObject, sign } from 'node:crypto'
import { canonicalAlgorithm, secretAlgorithms, type JwsAlgorithm } from '../jwt/algorithms.ts'
import { assertBoolean, assertRecord, invalidOption } from '../options/assert.ts'
import { assertAlgorithm, assertOptions, keyAlgorithms, type TestKey } from './test-key.ts'

/** The algorithms that an issuer signs with. */
export const issuerAlgorithms: readonly string[] = [...keyAlgorithms, ...Object.keys(secretAlgorithms)]

/**
 * Claims of a token, over the usual ones. Anything that JSON can hold may stand here, wrong types too; an undefined claim is
 * left out of the token.
 */
export interface TestClaims {
  /** @defaultValue the issuer's name */
  iss?: unknown
  /** @defaultValue the issuer's `audience` */
  aud?: unknown
  /** @defaultValue `'someone'` */
  sub?: unknown
  /** @defaultValue `'client'` */
  client_id?: unknown
  /** In seconds since 1970. @defaultValue now */
  iat?: unknown
  /** In seconds since 1970. @defaultValue now and `expiresIn` */
  exp?: unknown
  /** In seconds since 1970. @defaultValue none */
  nbf?: unknown
  /** @defaultValue a random UUID */
  jti?: unknown
  /** Scopes, with spaces between them. @defaultValue none */
  scope?: unknown
  [claim: string]: unknown
}

/** How a token is to be made. */
export interface TestTokenOptions {
  /**
   * Header parameters over the usual ones (`alg`, `kid`, and `typ: 'at+jwt'`), written as they are: the signature doesn't follow
   * them. An undefined one is left out.
   */
  header?: Readonly<Record<string, unknown>>
  /**
   * Milliseconds from now until it expires; a negative number makes an expired one. `exp` is in seconds, so a part of one is cut
   * off. A `clockTolerance` (5,000 unless your application says otherwise) is on top.
   *
   * @defaultValue 600,000
   */
  expiresIn?: number
  /**
   * What it is signed with. An algorithm that the issuer has no key for gets one, which is published from then on. HS ones take the
   * issuer's secret, and `'none'` leaves the signature away.
   *
   * @defaultValue the issuer's
   */
  algorithm?: JwsAlgorithm | 'Ed25519' | 'none'
  /**
   * A key to sign with instead of the issuer's: the one before a rotation, or one that no issuer publishes. Excludes `algorithm`.
   */
  key?: TestKey
  /**
   * Spoils the signature, so that no key verifies it.
   *
   * @defaultValue false
   */
  forged?: boolean
}

/** Refuses what no token can be made of. */
export function assertTokenOptions(claims: unknown, options: TestTokenOptions): void {
  assertRecord('token.claims', claims)
  assertOptions('token', options, ['header', 'expiresIn', 'algorithm', 'key', 'forged'])
  const { header, expiresIn, algorithm, key, forged } = options
  if (header !== undefined) assertRecord('token.header', header)
  if (expiresIn !== undefined && !Number.isSafeInteger(expiresIn)) {
    invalidOption('token.expiresIn', 'must be a whole number of milliseconds')
  }
  if (algorithm !== undefined) assertAlgorithm('token.algorithm', algorithm, [...issuerAlgorithms, 'none'])
  if (key !== undefined) assertKey('token.key', key)
  if (key !== undefined && algorithm !== undefined)
    invalidOption('token.algorithm', 'must not be given beside key')
  assertBoolean('token.forged', forged)
  if (forged === true && algorithm === 'none') {
    invalidOption('token.forged', "must not be given beside algorithm 'none', which has no signature")
  }
}

export function assertKey(name: string, key: unknown): asserts key is TestKey {
  const { algorithm, jwk, privateKey } = (key ?? {}) as Partial<TestKey>
  const isKey = privateKey instanceof KeyObject && typeof jwk?.kid === 'string'
  if (!isKey || !keyAlgorithms.includes(algorithm!)) invalidOption(name, 'must be a key of createTestKey')
}

/** Signs data as JWS wants it (RFC 7518 section 3, RFC 8037 section 3.1). */
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

/** A signature with one bit turned. */
export function spoiled(signer: Signer): Signer {
  return (data) => {
    const signature = signer(data)
    signature[0]! ^= 1
    return signature
  }
}

/** A token in compact form; undefined members are left out of it. */
export function encodeToken(header: object, claims: object, signer: Signer): string {
  const signed = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${signed}.${signer(Buffer.from(signed)).toString('base64url')}`
}
