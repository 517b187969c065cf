import { setImmediate } from 'node:timers/promises'
import type { JwksStore } from '../../lib/jwks/jwks-store.ts'
import type { RemoteJwksOptions } from '../../lib/jwks/remote-jwks.ts'
import { ScriptedIssuer } from './scripted-issuer.ts'

/** A store in memory, which keeps texts for ever. */
export class MemoryStore implements JwksStore {
  readonly texts = new Map<string, string>()
  readonly ttls: number[] = []

  get(key: string): string | undefined {
    return this.texts.get(key)
  }

  set(key: string, value: string, ttl: number): void {
    this.texts.set(key, value)
    this.ttls.push(ttl)
  }

  /** The key and the text of the stored answer. */
  get answer(): [key: string, text: string] {
    return [...this.texts].find(([key]) => key.includes('answer'))!
  }

  set answer([key, text]: [key: string, text: string]) {
    this.texts.set(key, text)
  }
}

/** A store in memory with an atomic method. */
export class AtomicStore extends MemoryStore {
  add(key: string, ttl: number): boolean {
    if (this.texts.has(key)) return false
    this.set(key, '1', ttl)
    return true
  }

  override set(key: string, value: string, ttl: number): void {
    super.set(key, value, ttl)
    // A test can't wait for it.
    if (ttl === 1) this.texts.delete(key)
  }
}

/** The processes of an application, with one issuer, one store and one time. */
export class Fleet {
  /** The time in milliseconds, on both clocks. */
  time = 1_000_000
  #keys: unknown[]
  #failure: string | undefined
  readonly store: MemoryStore
  readonly processes: ScriptedIssuer[] = []
  readonly #options: Partial<RemoteJwksOptions>

  constructor(
    keys: unknown[],
    size: number,
    options: Partial<RemoteJwksOptions> = {},
    store = new MemoryStore(),
  ) {
    this.#keys = keys
    this.store = store
    this.#options = options
    for (let index = 0; index < size; index += 1) this.start()
  }

  set keys(keys: unknown[]) {
    this.#keys = keys
    for (const issuer of this.processes) issuer.keys = keys
  }

  set failure(failure: string | undefined) {
    this.#failure = failure
    for (const issuer of this.processes) issuer.failure = failure
  }

  /** Starts one more process. */
  start({
    secret = 's'.repeat(32),
    location = 'discovered',
    store = this.store as JwksStore,
    ...options
  }: Partial<
    RemoteJwksOptions & { secret: string; location: string; store: JwksStore }
  > = {}): ScriptedIssuer {
    const issuer: ScriptedIssuer = new ScriptedIssuer(this.#keys, {
      shared: { store, secret: Buffer.from(secret), location, maxLength: 1_000_000 },
      now: () => this.time,
      wallClock: () => this.time,
      ...this.#options,
      ...options,
    })
    issuer.failure = this.#failure
    this.processes.push(issuer)
    return issuer
  }

  /** The number of fetches since the last call, by all processes. */
  newFetches(): number {
    return this.processes.reduce((sum, issuer) => sum + issuer.newFetches(), 0)
  }

  /** Asks each process at the same moment, and waits until fetches in the background have ended. */
  async askAll(kid: string): Promise<string[]> {
    const results = await Promise.all(this.processes.map((issuer) => issuer.ask(kid)))
    await settle()
    return results
  }
}

/** Waits until everything that needs no timer has ended. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await setImmediate()
}
