import type { X509Certificate } from 'node:crypto'
import type { AsymmetricAlgorithm } from '../jwt/algorithms.ts'

/** Whether tokens may be bound, must be bound, or are accepted without a check of what they are bound to. */
export type BindingMode = 'allowed' | 'required' | 'unchecked'

/** Where used DPoP proofs are remembered, such as `redisStore(client)` of `fastify-jwks-auth/redis`. */
export interface ReplayStore {
  /**
   * Stores an id for `ttl` milliseconds if it is absent, in one atomic step.
   *
   * @returns Whether it was absent.
   */
  add(id: string, ttl: number): boolean | Promise<boolean>
}

/** How DPoP proofs are checked (RFC 9449). Times are milliseconds. */
export interface DPoPOptions {
  /**
   * Whether tokens may or must be bound.
   *
   * @defaultValue `'allowed'`
   */
  mode?: BindingMode
  /**
   * The URL of this server's root as clients see it, or a list of them, with the path prefix that a gateway strips. The Host header is
   * never used.
   */
  baseUrl?: string | readonly string[]
  /**
   * The allowed algorithms of proofs.
   *
   * @defaultValue all asymmetric ones
   */
  algorithms?: readonly (AsymmetricAlgorithm | 'Ed25519')[]
  /**
   * The maximum age of a proof by its `iat`. The issuer's `clockTolerance` applies on both sides.
   *
   * @defaultValue 60,000
   */
  proofMaxAge?: number
  /** Requires proofs to contain a nonce of this server (RFC 9449 section 9). Off by default. */
  nonce?: {
    /** At least 32 bytes, shared by all processes. */
    secret: string | Uint8Array
    /**
     * How long a nonce is used. It is accepted for one more lifetime.
     *
     * @defaultValue 300,000
     */
    lifetime?: number
  }
  /**
   * Where used proofs are remembered. Processes that serve the same API must share a store, or each of them accepts a proof once.
   *
   * @defaultValue the memory of this process
   */
  replay?: ReplayStore
  /**
   * The maximum number of used proofs in memory. One key can take a quarter. If it is full, requests with a proof are answered 503.
   *
   * @defaultValue 100,000
   */
  maxProofs?: number
}

/**
 * How client certificates are found (RFC 8705).
 *
 * @typeParam Request - The request that `getCertificate` gets.
 */
export interface MtlsOptions<Request> {
  /**
   * Whether tokens may or must be bound.
   *
   * @defaultValue `'allowed'`
   */
  mode?: BindingMode
  /**
   * The header in which a proxy sends the certificate, as in RFC 9440 or as URL-encoded PEM. The proxy must remove this header from the
   * requests of clients.
   */
  header?: string
  /** Returns the certificate as DER, PEM or an `X509Certificate`, or undefined if there is none. Excludes `header`. */
  getCertificate?: (
    request: Request,
  ) =>
    | string
    | Uint8Array
    | X509Certificate
    | undefined
    | Promise<string | Uint8Array | X509Certificate | undefined>
}
