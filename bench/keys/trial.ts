import { setTimeout } from 'node:timers/promises'
import type { Certificate } from '../certificate.ts'
import { startChild } from '../child.ts'
import { Client, type Answer } from '../client.ts'
import { createKey, Issuer, type Key } from '../issuer.ts'

export const second = 1000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

/** The same keys for all contestants, since making one takes a while. */
const pool = Array.from({ length: 5 }, createKey)

/** One contestant in a new process, whose clocks can be moved, and its own issuer. */
export class Trial {
  readonly issuer: Issuer
  /** The two keys that the issuer has at first. */
  readonly key: Key = pool[0]!
  readonly otherKey: Key = pool[1]!
  /** Keys that the issuer doesn't have yet. */
  readonly newKeys: readonly Key[] = pool.slice(2)
  readonly #client: Client

  private constructor(issuer: Issuer, client: Client) {
    this.issuer = issuer
    this.#client = client
    issuer.keys = [this.key, this.otherKey]
  }

  static async run<T>(name: string, certificate: Certificate, use: (trial: Trial) => Promise<T>): Promise<T> {
    const issuer = await Issuer.start(certificate)
    const child = await startChild(name, issuer, ['--import', new URL('../clock.js', import.meta.url).href])
    const client = new Client(child.url)
    try {
      return await use(new Trial(issuer, client))
    } finally {
      client.close()
      await child.close()
      await issuer[Symbol.asyncDispose]()
    }
  }

  /**
   * Calls the secured route.
   *
   * @param advance - Milliseconds by which the contestant's clocks are moved first. From then on they stand still.
   */
  async call(token: string, advance?: number): Promise<Answer> {
    return this.#client.call(token, advance === undefined ? {} : { 'x-clock-advance': String(advance) })
  }

  async isAccepted(token: string, advance?: number): Promise<boolean> {
    const { status } = await this.call(token, advance)
    return status === 200
  }

  /** Makes the contestant fetch the keys. */
  async warmUp(): Promise<void> {
    if (!(await this.isAccepted(this.issuer.token(this.key)))) throw new Error('a good token was refused')
  }

  /** Waits for fetches that a request has started in the background. */
  async waitForFetches(): Promise<void> {
    do await setTimeout(2)
    while (this.issuer.pending > 0)
  }
}
