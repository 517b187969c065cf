import { randomUUID } from 'node:crypto'
import { sha256, jwkThumbprint } from '../jwt/thumbprint.ts'
import { assertBoolean, assertRecord, invalidOption, nonEmptyString } from '../options/assert.ts'
import { assertOptions, createTestKey, type TestKey } from './test-key.ts'
import { assertKey, encodeToken, keySigner, withInvalidSignature } from './test-token.ts'

/** The request that a proof is for. */
export interface ProofRequest {
  /**
   * The method of the request.
   *
   * @defaultValue `'GET'`
   */
  method?: string
  /** The URL of the request as the client sends it. */
  url: string
  /** The access token of the request. */
  token: string
  /** The nonce of an earlier answer. */
  nonce?: string
}

/** Options of `DPoPClient.proof`, each to make the proof wrong. */
export interface ProofOptions {
  /**
   * Claims that are added to the default ones (`jti`, `htm`, `htu`, `iat`, `ath`, `nonce`) or replace them. A claim that is `undefined` is
   * left out.
   */
  claims?: Readonly<Record<string, unknown>>
  /**
   * Header parameters that are added to the default ones (`typ`, `alg`, `jwk`) or replace them. A parameter that is `undefined` is left out.
   */
  header?: Readonly<Record<string, unknown>>
  /** Key to sign with instead of the client's. Its public key is in the header. */
  key?: TestKey
  /**
   * Whether to make the signature invalid.
   *
   * @defaultValue false
   */
  forged?: boolean
}

/** The headers of a request with a proof. */
export type ProofHeaders = {
  /** The access token with the DPoP scheme. */
  authorization: string
  /** The proof. */
  dpop: string
}

/** A client that signs DPoP proofs (RFC 9449). Created by `createDPoPClient`. */
export class DPoPClient {
  /** The key that signs its proofs. */
  readonly key: TestKey

  /** @internal */
  constructor(key: TestKey) {
    this.key = key
  }

  /** The thumbprint of the key: the `cnf.jkt` of tokens that are bound to it. */
  get jkt(): string {
    return jwkThumbprint(this.key.jwk)
  }

  /**
   * Returns a new proof for a request, for the `DPoP` header.
   *
   * @throws TypeError if an argument is invalid. The message names the argument.
   */
  proof(request: ProofRequest, options: ProofOptions = {}): string {
    assertOptions('proof', request, ['method', 'url', 'token', 'nonce'])
    assertOptions('proof', options, ['claims', 'header', 'key', 'forged'])
    const { method = 'GET', url, token, nonce } = request
    const { claims, header, key = this.key, forged } = options
    for (const [name, value] of Object.entries({ method, url, token })) nonEmptyString(`proof.${name}`, value)
    if (!URL.canParse(url)) invalidOption('proof.url', 'must be a URL')
    if (claims !== undefined) assertRecord('proof.claims', claims)
    if (header !== undefined) assertRecord('proof.header', header)
    assertKey('proof.key', key)
    assertBoolean('proof.forged', forged)
    const { kty, crv, x, y, n, e } = key.jwk
    const signer = keySigner(key)
    return encodeToken(
      { typ: 'dpop+jwt', alg: key.algorithm, jwk: { kty, crv, x, y, n, e }, ...header },
      {
        jti: randomUUID(),
        htm: method,
        htu: url.replace(/[?#].*$/s, ''),
        iat: Math.floor(Date.now() / 1000),
        ath: sha256(token),
        nonce,
        ...claims,
      },
      forged === true ? withInvalidSignature(signer) : signer,
    )
  }

  /** Returns the headers of a request: `authorization` with the DPoP scheme, and `dpop` with a new proof. */
  headers(request: ProofRequest, options: ProofOptions = {}): ProofHeaders {
    const dpop = this.proof(request, options)
    return { authorization: `DPoP ${request.token}`, dpop }
  }
}

/**
 * Creates a client with a key of its own, or with a key created by `createTestKey`.
 *
 * ```ts
 * const client = createDPoPClient()
 * const token = issuer.token({}, { boundTo: client })
 * const url = 'https://api.example.com/ping'
 * const response = await app.inject({ url: '/ping', headers: client.headers({ url, token }) })
 * ```
 *
 * @throws TypeError if the key is invalid.
 */
export function createDPoPClient(key: TestKey = createTestKey()): DPoPClient {
  assertKey('createDPoPClient.key', key)
  return new DPoPClient(key)
}
