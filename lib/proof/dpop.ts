import { invalidProof } from '../errors.ts'
import type { MaybePromise } from '../hook.ts'
import { sha256 } from '../jwt/thumbprint.ts'
import type { Log } from '../log.ts'
import type { DPoPSettings } from '../options/sender-constraint-options.ts'
import { DPoPProofVerifier, type ProofContext, type ProofFailure, type VerifiedProof } from './dpop-proof.ts'
import { MemoryReplayStore } from './memory-replay-store.ts'
import { Nonces } from './nonces.ts'
import type { TokenRequest } from './request.ts'
import { UsedProofs } from './used-proofs.ts'

/** Checks the proofs of requests, and knows which answers need a nonce (RFC 9449 sections 7 to 9). */
export class DPoP {
  readonly #proofs: DPoPProofVerifier
  readonly #usedProofs: UsedProofs
  readonly #nonces: Nonces | undefined
  /** The proof that each accepted request has used up. With `@fastify/auth` a request may be checked again. */
  readonly #used = new WeakMap<TokenRequest, string>()
  /** Accepted requests whose nonce will soon not be accepted. */
  readonly #withAgingNonce = new WeakSet<TokenRequest>()

  /** @param timeout - How long a store of used proofs may take, in milliseconds. */
  constructor(settings: DPoPSettings, timeout: number, log: Log) {
    const { nonce, replay, maxProofs, proofMaxAge } = settings
    this.#nonces = nonce && new Nonces(nonce)
    this.#proofs = new DPoPProofVerifier(settings, this.#nonces)
    const store = replay ?? new MemoryReplayStore(maxProofs, proofMaxAge)
    this.#usedProofs = new UsedProofs(store, timeout, log)
  }

  /** Checks the proof of a request. Undefined if it is valid: then it is used up. */
  verify(context: ProofContext): MaybePromise<ProofFailure | undefined> {
    const proof = this.#proofs.verify(context)
    if ('refusal' in proof) return proof
    const { jkt, now } = context
    // A hash, because a store may not take every text or length. Clients may choose the same jti, so the key is part of the id.
    const id = `${jkt}.${sha256(proof.jti)}`
    if (this.#used.get(context.request) === id) return undefined
    const isNew = this.#usedProofs.add(id, Math.ceil(proof.expiresAt - now))
    if (!(isNew instanceof Promise)) return this.#onStored(id, isNew, proof, context)
    return isNew.then((settled) => this.#onStored(id, settled, proof, context))
  }

  /**
   * The nonce for an answer, if it needs one (RFC 9449 sections 8.2 and 9).
   *
   * @param isRefused - Whether the answer is a 401 to a request with the DPoP scheme.
   */
  nonceFor(request: TokenRequest, isRefused: boolean): string | undefined {
    return isRefused || this.#withAgingNonce.has(request) ? this.#nonces?.create(Date.now()) : undefined
  }

  #onStored(
    id: string,
    isNew: Awaited<ReturnType<UsedProofs['add']>>,
    { nonce, expiresAt }: VerifiedProof,
    { request, now }: ProofContext,
  ): ProofFailure | undefined {
    if (typeof isNew !== 'boolean') return { refusal: isNew }
    // A store forgets a proof when it expires. That may have happened while the proof was checked.
    if (!isNew || Date.now() >= expiresAt) return { refusal: invalidProof('it was used before') }
    this.#used.set(request, id)
    if (nonce !== undefined && this.#nonces!.isAging(nonce, now)) this.#withAgingNonce.add(request)
    return undefined
  }
}
