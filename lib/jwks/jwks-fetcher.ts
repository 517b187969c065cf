import { once } from 'node:events'
import type { FetchAttempt } from '../channels.ts'
import type { FetchError } from '../fetch/fetch-error.ts'
import type { FetchLimiter } from './fetch-limiter.ts'
import type { VerificationKey } from './jwk.ts'
import type * as JwkSets from './jwk-set.ts'
import type { JwksReporter } from './jwks-reporter.ts'
import type { JwksState } from './jwks-state.ts'
import { SharedJwks, type SharedJwksOptions } from './shared-jwks.ts'
import type { StoredAnswer } from './stored-entry.ts'

/** Times are milliseconds. */
export interface JwksFetcherOptions {
  readonly issuer: string
  /** Fetches the issuer's JWK Set, discovery included. It adds each request to the attempts. */
  readonly fetchJwks: (signal: AbortSignal, attempts: FetchAttempt[]) => Promise<unknown>
  /** Maximum time of a fetch. */
  readonly timeout: number
  /** The store in which processes share the keys. */
  readonly shared?: Pick<SharedJwksOptions, 'store' | 'secret' | 'location' | 'maxLength'> | undefined
  /** Called after each good answer, with the keys that the issuer no longer publishes. */
  readonly onUpdate?: (removed: readonly VerificationKey[]) => void
  readonly wallClock?: () => number
}

/** The state that a fetcher updates. */
export interface JwksFetcherContext {
  readonly state: JwksState
  readonly reporter: JwksReporter
  readonly unknownKids: FetchLimiter
  readonly failedSignatures: FetchLimiter
  readonly now: () => number
}

/** The reason of a fetch that is not a refresh: a token. */
export interface TokenNeed {
  /** Whether the known keys are enough, or the limits forbid a fetch. It is asked after each look into the store. */
  isMet(): boolean
  /** Called if the issuer has answered. */
  count(): void
}

/** Loaded by the first fetch, while the issuer prepares its answer: get-jwks has many dependencies. */
let jwkSets: Promise<typeof JwkSets> | undefined

function loadJwkSets(): Promise<typeof JwkSets> {
  /* c8 ignore next -- tsx adds a helper function for modules that came from CommonJS to this line */
  return (jwkSets ??= import('./jwk-set.ts'))
}

/** Rejects when the signal fires, so that waiting has an end even if the fetch ignores the signal. */
async function abortOf(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort')
  throw new Error(String(signal.reason))
}

/** Gets the keys of one issuer, from the store that processes share or else from the issuer. Each answer updates the state. */
export class JwksFetcher {
  readonly #options: JwksFetcherOptions
  readonly #context: JwksFetcherContext
  readonly #wallClock: () => number
  readonly #shared: SharedJwks | undefined
  #inFlight: Promise<boolean> | undefined
  #abort: AbortController | undefined
  #closed = false

  constructor(options: JwksFetcherOptions, context: JwksFetcherContext) {
    const { shared, wallClock = Date.now } = options
    const { reporter, state } = context
    this.#options = options
    this.#context = context
    this.#wallClock = wallClock
    this.#shared =
      shared && new SharedJwks({ ...options, ...shared, maxAge: state.maxAge, reporter, now: wallClock })
  }

  /** The fetch in flight, at most one. It resolves to whether there was a good answer, and never rejects. */
  get inFlight(): Promise<boolean> | undefined {
    return this.#inFlight
  }

  /** Whether another process may have learnt a key. */
  get isShared(): boolean {
    return this.#shared !== undefined
  }

  /** Starts a fetch, unless one is in flight. Without a need it is a refresh. */
  fetch(need?: TokenNeed): Promise<boolean> {
    this.#inFlight ??= this.#fetchOnce(need).finally(() => {
      this.#inFlight = undefined
    })
    return this.#inFlight
  }

  /** Aborts the fetch in flight and prevents others. */
  close(): void {
    this.#closed = true
    this.#abort?.abort('closed')
  }

  async #fetchOnce(need: TokenNeed | undefined): Promise<boolean> {
    if (this.#closed) return false
    const { state, reporter, now } = this.#context
    const startedAt = now()
    const attempts: FetchAttempt[] = []
    const abort = (this.#abort = new AbortController())
    const { signal } = abort
    const deadline = setTimeout(() => abort.abort('timeout'), this.#options.timeout)
    const getKeys = async (): Promise<void> => {
      if (this.#shared && (await this.#findShared(this.#shared, need, signal))) return
      await this.#askIssuer(need, signal, attempts)
    }
    try {
      await Promise.race([getKeys(), abortOf(signal)])
      return true
    } catch (error) {
      if (this.#closed) return false
      const failure = error as Error & Partial<FetchError>
      state.backoff.failed(now(), failure.message, failure.retryAfter)
      reporter.fetchFailed(failure, attempts, now() - startedAt)
      this.#shared?.release()
      return false
    } finally {
      clearTimeout(deadline)
    }
  }

  async #askIssuer(
    need: TokenNeed | undefined,
    signal: AbortSignal,
    attempts: FetchAttempt[],
  ): Promise<void> {
    const { unknownKids, failedSignatures, now, state } = this.#context
    const startedAt = now()
    const fetchedAt = this.#wallClock()
    const offset = fetchedAt - startedAt
    const [document, { JwkSet }] = await Promise.all([
      this.#options.fetchJwks(signal, attempts),
      loadJwkSets(),
    ])
    // The requests have been answered already.
    if (signal.aborted) return
    this.#use(new JwkSet(document, this.#options.issuer, state.current), startedAt, 'issuer', startedAt)
    need?.count()
    this.#shared?.publish({
      fetchedAt,
      unknownKids: unknownKids.recent(startedAt, offset),
      failedSignatures: failedSignatures.recent(startedAt, offset),
      document,
    })
  }

  /** Takes newer keys from the store. Returns whether the issuer need not be asked. */
  async #findShared(shared: SharedJwks, need: TokenNeed | undefined, signal: AbortSignal): Promise<boolean> {
    const { state, now } = this.#context
    const startedAt = now()
    const result = await shared.find(
      async (answer) => {
        if (answer) this.#adopt(answer, await loadJwkSets(), startedAt)
        // A refresh needs newer keys.
        return state.isFresh(now()) && (need ? need.isMet() : answer !== undefined)
      },
      () => !need && state.isFresh(now()),
      signal,
    )
    if (result === 'later') state.postponeRefresh(now())
    return result !== 'fetch'
  }

  #adopt(answer: StoredAnswer, { JwkSet }: typeof JwkSets, startedAt: number): void {
    const { unknownKids, failedSignatures, now, reporter, state } = this.#context
    let set: JwkSets.JwkSet
    try {
      set = new JwkSet(answer.document, this.#options.issuer, state.current)
    } catch {
      reporter.storedKeysIgnored('none of its keys can be used')
      return
    }
    const offset = now() - this.#wallClock()
    unknownKids.merge(answer.unknownKids, offset)
    failedSignatures.merge(answer.failedSignatures, offset)
    this.#use(set, answer.fetchedAt + offset, 'store', startedAt)
  }

  #use(set: JwkSets.JwkSet, fetchedAt: number, source: 'issuer' | 'store', startedAt: number): void {
    const { now, reporter, state } = this.#context
    const removed = state.update(set, fetchedAt, this.#shared && source)
    this.#options.onUpdate?.(removed)
    const duration = now() - startedAt
    const origin = this.#shared && { source, age: now() - fetchedAt }
    reporter.fetched(set, removed, { duration, ...origin })
  }
}
