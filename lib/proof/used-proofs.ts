import { replayStoreUnavailable, type Refusal } from '../errors.ts'
import { isThenable, type MaybePromise } from '../hook.ts'
import * as messages from '../log.ts'
import type { Log } from '../log.ts'
import { full } from './memory-replay-store.ts'

/** A store of used proofs as it is called. What it returns is checked. */
interface Store {
  add(id: string, ttl: number): unknown
}

/** A store that fails is logged once in this time, in milliseconds. */
const logInterval = 60_000

/** Asks the store of used proofs. A store that fails refuses, because a proof that may have been used must not be accepted. */
export class UsedProofs {
  readonly #store: Store
  readonly #timeout: number
  readonly #log: Log
  #loggedAt = -Infinity

  /** @param timeout - How long the store may take, in milliseconds. */
  constructor(store: Store, timeout: number, log: Log) {
    this.#store = store
    this.#timeout = timeout
    this.#log = log
  }

  /** Remembers a proof. Returns whether it is new, or the refusal if that is not known. */
  add(id: string, ttl: number): MaybePromise<boolean | Refusal> {
    let result: unknown
    try {
      result = this.#store.add(id, ttl)
    } catch (error) {
      return this.#fail(reasonOf(error))
    }
    return isThenable(result) ? this.#wait(result) : this.#read(result)
  }

  #wait(result: PromiseLike<unknown>): Promise<boolean | Refusal> {
    return new Promise((resolve) => {
      const onTimeout = (): void => resolve(this.#fail('it did not answer within jwks.timeout'))
      const timer = setTimeout(onTimeout, this.#timeout)
      const settle = (outcome: boolean | Refusal): void => {
        clearTimeout(timer)
        resolve(outcome)
      }
      result.then(
        (value) => settle(this.#read(value)),
        (error: unknown) => settle(this.#fail(reasonOf(error))),
      )
    })
  }

  #read(result: unknown): boolean | Refusal {
    if (typeof result === 'boolean') return result
    return this.#fail(result === full ? 'dpop.maxProofs is reached' : 'it returned no boolean')
  }

  #fail(reason: string): Refusal {
    const now = performance.now()
    if (now - this.#loggedAt >= logInterval) {
      this.#loggedAt = now
      this.#log.warn({ reason }, messages.replayStoreFailed)
    }
    return replayStoreUnavailable
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
