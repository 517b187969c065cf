import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreCalls, type JwksStore, type StoreReporter } from './jwks-store.ts'
import { StoredEntry, type StoredAnswer, type Subject } from './stored-entry.ts'

/** The checked options `jwks.store` and `jwks.storeSecret`. */
export interface StoreSettings {
  readonly store: JwksStore
  readonly secret: Buffer
}

/** Times are milliseconds. */
export interface SharedJwksOptions extends StoreSettings, Subject {
  /** How long an answer may be used at most. */
  readonly maxAge: number
  /** Maximum time of a fetch. */
  readonly timeout: number
  /** Maximum number of characters of an entry. */
  readonly maxLength: number
  readonly reporter: StoreReporter & { storedKeysIgnored(reason: string): void }
  /** The wall clock. */
  readonly now: () => number
}

/** Milliseconds that a request waits for the store. */
const patience = 500
/** Milliseconds between the first two looks for an answer that another process fetches. Each next time is twice as long. */
const firstPoll = 25
const maxPoll = 400

/**
 * The answers of one issuer that processes share through a store. A process makes a claim in the store before it asks the issuer, so
 * that others wait for the answer.
 */
export class SharedJwks {
  readonly #options: SharedJwksOptions
  readonly #calls: StoreCalls
  readonly #answers: StoredEntry<'answer'>
  readonly #claims: StoredEntry<'claim'>
  readonly #process: string = randomUUID()
  /** When the newest known answer was requested, by whichever process. */
  #fetchedAt = -Infinity
  /** The beginning of the entry that was read last. */
  #lastRead: string | undefined
  #hasClaim = false

  constructor(options: SharedJwksOptions) {
    const { store, secret, reporter } = options
    this.#options = options
    this.#calls = new StoreCalls(store, reporter)
    this.#answers = new StoredEntry('answer', options, secret)
    this.#claims = new StoredEntry('claim', options, secret)
  }

  /**
   * Looks for an answer that replaces a fetch.
   *
   * @param use - Gets each newer answer. Returns whether the issuer need not be asked.
   * @param canWait - Whether the fetch can be left to another process that is asking the issuer already.
   * @returns `fetch`: this process has to ask the issuer. `later`: another process is asking.
   */
  async find(
    use: (answer: StoredAnswer | undefined) => Promise<boolean>,
    canWait: () => boolean,
    signal: AbortSignal,
  ): Promise<'found' | 'fetch' | 'later'> {
    const end = performance.now() + this.#claimTime
    this.#hasClaim = false
    this.#calls.start(Math.min(patience, this.#claimTime))
    /* oxlint-disable no-await-in-loop -- each look waits for the one before */
    for (let poll = firstPoll; ; poll = Math.min(2 * poll, maxPoll)) {
      if (await use(await this.#read())) return 'found'
      if (signal.aborted || (await this.#claim())) return 'fetch'
      if (canWait()) return 'later'
      if (performance.now() + poll > end) return 'fetch'
      await sleep(poll)
    }
    /* oxlint-enable no-await-in-loop */
  }

  /** With `add`, each answer that is to be replaced has a claim of its own. */
  get #claimKey(): string {
    return this.#calls.hasAdd ? `${this.#claims.key}-${this.#lastRead ?? ''}` : this.#claims.key
  }

  /** How long a claim is respected, from when it was made. Then enough of `timeout` is left for a fetch. */
  get #claimTime(): number {
    return Math.ceil(this.#options.timeout / 2)
  }

  /** Stores a good answer of the issuer, without waiting. */
  publish(answer: StoredAnswer): void {
    const { maxAge, timeout } = this.#options
    const text = this.#answers.seal(answer)
    this.#fetchedAt = answer.fetchedAt
    this.#lastRead = beginningOf(text)
    this.#calls.write(this.#answers.key, text, maxAge, timeout)
  }

  /** Lets another process ask the issuer at once, after the fetch of this one has failed. */
  release(): void {
    if (this.#hasClaim) this.#calls.write(this.#claimKey, this.#sealClaim(0), 1, this.#options.timeout)
  }

  /** Returns the stored answer if it is newer than every answer that is known. */
  async #read(): Promise<StoredAnswer | undefined> {
    const text = await this.#calls.get(this.#answers.key)
    if (text === undefined || beginningOf(text) === this.#lastRead) return undefined
    const lastRead = this.#lastRead
    this.#lastRead = beginningOf(text)
    if (text.length > this.#options.maxLength) return this.#ignore('it is too long')
    const answer = this.#answers.open(text)
    if (typeof answer === 'string') return this.#ignore(answer)
    const { fetchedAt } = answer
    const age = this.#options.now() - fetchedAt
    if (age < 0) {
      // The time may come.
      this.#lastRead = lastRead
      return this.#ignore('it is from the future')
    }
    if (age >= this.#options.maxAge) return this.#ignore('it is too old')
    if (fetchedAt < this.#fetchedAt) {
      // Of two fetches at the same time, the older one may be stored last.
      const isReplayed = this.#fetchedAt - fetchedAt > this.#options.timeout
      return isReplayed ? this.#ignore('it is older than keys that were known before') : undefined
    }
    this.#fetchedAt = fetchedAt
    return answer
  }

  #ignore(reason: string): undefined {
    this.#options.reporter.storedKeysIgnored(reason)
  }

  /** Returns whether this process should ask the issuer. */
  async #claim(): Promise<boolean> {
    if (this.#calls.hasAdd) {
      this.#hasClaim = (await this.#calls.add(this.#claimKey, this.#claimTime)) !== false
      return this.#hasClaim
    }
    // The last of several claims at the same time wins.
    if (await this.#isClaimedByOther()) return false
    await this.#calls.set(this.#claims.key, this.#sealClaim(this.#options.now()), this.#claimTime)
    this.#hasClaim = !(await this.#isClaimedByOther())
    return this.#hasClaim
  }

  /** A claim ends with the answer that replaces the last one, and after some time. */
  async #isClaimedByOther(): Promise<boolean> {
    const text = await this.#calls.get(this.#claims.key)
    const claim = text === undefined ? '' : this.#claims.open(text)
    if (typeof claim === 'string' || claim.process === this.#process) return false
    const age = this.#options.now() - claim.claimedAt
    return claim.replaces === (this.#lastRead ?? '') && age >= 0 && age < this.#claimTime
  }

  #sealClaim(claimedAt: number): string {
    return this.#claims.seal({ replaces: this.#lastRead ?? '', claimedAt, process: this.#process })
  }
}

/** The format and the authentication code of an entry. */
function beginningOf(text: string): string {
  return text.slice(0, 50)
}
