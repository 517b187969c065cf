import { setImmediate } from 'node:timers/promises'
import type { AsymmetricAlgorithm } from '../../lib/jwt/algorithms.ts'
import { JwksAuthError } from '../../lib/errors.ts'
import { RemoteJwks, type RemoteJwksOptions } from '../../lib/jwks/remote-jwks.ts'

interface Fetch {
  readonly at: number
  readonly signal: AbortSignal
  answer(document: unknown): void
  fail(reason: string): void
}

/** An issuer without a network, and the keys that are known of it: its time and its answers are the test's. */
export class ScriptedIssuer {
  /** Milliseconds on the clock. */
  time = 0
  /** What it publishes. */
  keys: unknown[]
  /** Why it doesn't answer, if it doesn't. */
  failure: string | undefined
  /** Whether fetches are left to be answered by hand. */
  held = false
  readonly fetches: Fetch[] = []
  /** What was logged. */
  readonly log: { level: 'warn' | 'info' | 'debug'; message: string; [detail: string]: unknown }[] = []
  readonly remote: RemoteJwks

  constructor(keys: unknown[], options: Partial<RemoteJwksOptions> = {}) {
    this.keys = keys
    this.remote = new RemoteJwks({
      issuer: 'https://id.example.com/',
      refreshInterval: 300_000,
      maxStale: 3_600_000,
      cooldown: 10_000,
      timeout: 5_000,
      log: {
        warn: (details, message) => this.log.push({ level: 'warn', message, ...details }),
        info: (details, message) => this.log.push({ level: 'info', message, ...details }),
        debug: (details, message) => this.log.push({ level: 'debug', message, ...details }),
      },
      now: () => this.time,
      fetchJwks: (signal) => this.#fetch(signal),
      ...options,
    })
  }

  /** The verdict on a kid: the PEM of its key, 'none', or the code of the refusal. */
  async ask(kid: unknown, alg: AsymmetricAlgorithm = 'EdDSA'): Promise<string> {
    try {
      const result = await this.remote.find(kid, alg)
      return 'key' in result ? result.key.pem! : 'none'
    } catch (error) {
      if (error instanceof JwksAuthError) return error.code
      throw error
    }
  }

  /** Asks at another time, and lets a fetch in the background come to its end. */
  async askAt(time: number, kid: unknown): Promise<string> {
    this.time = time
    const verdict = await this.ask(kid)
    await setImmediate()
    return verdict
  }

  /** Whether there is an answer without waiting. */
  knows(kid: unknown): boolean {
    return !(this.remote.find(kid, 'EdDSA') instanceof Promise)
  }

  /** Look-ups since this was asked last. */
  newFetches(): number {
    const before = this.#counted
    this.#counted = this.fetches.length
    return this.#counted - before
  }

  #counted = 0

  async #fetch(signal: AbortSignal): Promise<unknown> {
    return new Promise((answer, reject) => {
      const fail = (reason: string): void => reject(new Error(reason))
      this.fetches.push({ at: this.time, signal, answer, fail })
      signal.addEventListener('abort', () => fail(String(signal.reason)))
      if (this.held) return
      if (this.failure === undefined) answer({ keys: this.keys })
      else fail(this.failure)
    })
  }
}
