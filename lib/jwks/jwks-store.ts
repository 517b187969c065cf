/** Keeps texts that processes share: `redisStore`, `fileStore` or an object of your own. */
export interface JwksStore {
  /** Returns what is stored under a key: a string, or null or undefined. */
  get(key: string): string | null | undefined | Promise<string | null | undefined>
  /**
   * Stores a text, or replaces the one that is stored.
   *
   * @param ttl - Milliseconds, after which the text is of no use.
   */
  set(key: string, value: string, ttl: number): unknown
  /**
   * Stores a key if it is absent, in one atomic step. With this method two processes never ask an issuer at the same moment. Without it
   * they rarely do.
   *
   * @param ttl - Milliseconds until the key is absent again.
   * @returns Whether the key was absent.
   */
  add?(key: string, ttl: number): boolean | Promise<boolean>
}

/** What is reported about a store. */
export interface StoreReporter {
  storeFailed(reason: string): void
  storeWorks(): void
}

/** Calls a store that may throw, reject, or never answer. No method rejects. */
export class StoreCalls {
  readonly #store: JwksStore
  readonly #reporter: StoreReporter
  /** Milliseconds that may still be spent on calls. */
  #patience = 0
  /** The calls that took too long and still have no result. */
  #hanging = 0

  constructor(store: JwksStore, reporter: StoreReporter) {
    this.#store = store
    this.#reporter = reporter
  }

  /** @param patience - Milliseconds that the next calls may take together. Then there are no results until the next time. */
  start(patience: number): void {
    this.#patience = patience
  }

  async get(key: string): Promise<string | undefined> {
    const text = await this.#spend(() => this.#store.get(key))
    return typeof text === 'string' ? text : undefined
  }

  async set(key: string, value: string, ttl: number): Promise<void> {
    await this.#spend(() => this.#store.set(key, value, ttl))
  }

  get hasAdd(): boolean {
    return typeof this.#store.add === 'function'
  }

  /** Returns undefined if it is not known whether the key was absent. */
  async add(key: string, ttl: number): Promise<boolean | undefined> {
    const isNew = await this.#spend(() => this.#store.add!(key, ttl))
    return typeof isNew === 'boolean' ? isNew : undefined
  }

  /**
   * Stores a text without waiting for it.
   *
   * @param timeout - Milliseconds after which the store is taken to hang.
   */
  write(key: string, value: string, ttl: number, timeout: number): void {
    void this.#call(() => this.#store.set(key, value, ttl), timeout)
  }

  async #spend(call: () => unknown): Promise<unknown> {
    if (this.#patience <= 0) return undefined
    const startedAt = performance.now()
    const result = await this.#call(call, this.#patience)
    this.#patience -= performance.now() - startedAt
    return result
  }

  /** While a call hangs there are no others. Otherwise they would pile up, and each fetch would wait for one. */
  async #call(call: () => unknown, timeout: number): Promise<unknown> {
    if (this.#hanging > 0) return undefined
    let timer: NodeJS.Timeout | undefined
    const result = (async () => call())()
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        this.#hanging += 1
        void result.catch(() => {}).finally(() => (this.#hanging -= 1))
        reject(new Error('timeout'))
      }, timeout)
    })
    try {
      const value = await Promise.race([result, late])
      this.#reporter.storeWorks()
      return value
    } catch (error) {
      const { code, message = error } = (error ?? {}) as { code?: unknown; message?: unknown }
      this.#reporter.storeFailed(String(code ?? message).slice(0, 200))
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }
}
