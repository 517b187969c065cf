import { once } from 'node:events'
import type { FetchAttempt } from '../channels.ts'
import type { FetchError } from './fetch-error.ts'
import type { VerificationKey } from './jwk.ts'
import type * as JwkSets from './jwk-set.ts'
import type { JwksReporter } from './jwks-reporter.ts'
import type { JwksState } from './jwks-state.ts'

/** Times are milliseconds. */
export interface JwksFetcherOptions {
  readonly issuer: string
  /** Fetches the issuer's JWK Set, discovery included. It adds each request to the attempts. */
  readonly fetchJwks: (signal: AbortSignal, attempts: FetchAttempt[]) => Promise<unknown>
  /** Maximum time of a fetch. */
  readonly timeout: number
  /** Called after each good answer, with the keys that the issuer no longer publishes. */
  readonly onUpdate?: (removed: readonly VerificationKey[]) => void
}

/** Loaded by the first fetch, while the issuer prepares its answer: get-jwks has many dependencies. */
let jwkSets: typeof JwkSets | undefined

async function loadJwkSets(): Promise<typeof JwkSets> {
  /* c8 ignore next -- tsx adds a helper function for modules that came from CommonJS to this line */
  jwkSets = await import('./jwk-set.ts')
  return jwkSets
}

/** Rejects when the signal fires, so that waiting has an end even if the fetch ignores the signal. */
async function abortOf(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort')
  throw new Error(String(signal.reason))
}

/** Fetches the keys of one issuer. Each answer updates the state, and is reported. */
export class JwksFetcher {
  readonly #options: JwksFetcherOptions
  readonly #state: JwksState
  readonly #reporter: JwksReporter
  readonly #now: () => number
  #inFlight: Promise<boolean> | undefined
  #abort: AbortController | undefined
  #closed = false

  constructor(options: JwksFetcherOptions, state: JwksState, reporter: JwksReporter, now: () => number) {
    this.#options = options
    this.#state = state
    this.#reporter = reporter
    this.#now = now
  }

  /** The fetch in flight, at most one. It resolves to whether there was a good answer, and never rejects. */
  get inFlight(): Promise<boolean> | undefined {
    return this.#inFlight
  }

  /** Starts a fetch, unless one is in flight. */
  fetch(): Promise<boolean> {
    this.#inFlight ??= this.#fetchOnce().finally(() => {
      this.#inFlight = undefined
    })
    return this.#inFlight
  }

  /** Aborts the fetch in flight and prevents others. */
  close(): void {
    this.#closed = true
    this.#abort?.abort('closed')
  }

  async #fetchOnce(): Promise<boolean> {
    if (this.#closed) return false
    const { issuer, fetchJwks, timeout, onUpdate } = this.#options
    const startedAt = this.#now()
    const attempts: FetchAttempt[] = []
    const abort = (this.#abort = new AbortController())
    const deadline = setTimeout(() => abort.abort('timeout'), timeout)
    try {
      const [document, { JwkSet }] = await Promise.race([
        Promise.all([fetchJwks(abort.signal, attempts), jwkSets ?? loadJwkSets()]),
        abortOf(abort.signal),
      ])
      const set = new JwkSet(document, issuer, this.#state.current)
      const removed = this.#state.update(set, startedAt)
      onUpdate?.(removed)
      this.#reporter.fetched(set, removed, this.#now() - startedAt)
      return true
    } catch (error) {
      if (this.#closed) return false
      const failure = error as Error & Partial<FetchError>
      const now = this.#now()
      this.#state.backoff.failed(now, failure.message, failure.retryAfter)
      this.#reporter.fetchFailed(failure, attempts, now - startedAt)
      return false
    } finally {
      clearTimeout(deadline)
    }
  }
}
