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

/** An issuer without a network, and its RemoteJwks. The test sets the time and the answers. */
export class ScriptedIssuer {
  /** The time in milliseconds. */
  time = 0
  /** The keys that the issuer publishes. */
  keys: unknown[]
  /** The reason why fetches fail, or undefined if they succeed. */
  failure: string | undefined
  /** Whether the test answers each fetch itself. */
  held = false
  readonly fetches: Fetch[] = []
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

  /** Finds the first key of a kid. Returns its PEM, 'none', or the code of the error. */
  async ask(kid: unknown, alg: AsymmetricAlgorithm = 'EdDSA'): Promise<string> {
    try {
      const result = await this.remote.find(kid, alg)
      return ('keys' in result && result.keys[0]?.pem) || 'none'
    } catch (error) {
      if (error instanceof JwksAuthError) return error.code
      throw error
    }
  }

  /** Sets the time, finds the key of a kid, and waits until a fetch in the background has ended. */
  async askAt(time: number, kid: unknown): Promise<string> {
    this.time = time
    const result = await this.ask(kid)
    await setImmediate()
    return result
  }

  /** Whether the result for a kid is available without waiting. */
  knows(kid: unknown): boolean {
    return !(this.remote.find(kid, 'EdDSA') instanceof Promise)
  }

  /** The number of fetches since the last call. */
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
