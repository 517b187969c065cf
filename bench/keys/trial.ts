import { setTimeout } from 'node:timers/promises'
import type { Certificate } from '../certificate.ts'
import { startChild } from '../child.ts'
import { Client, type Answer } from '../client.ts'
import { createKey, Issuer, type Key } from '../issuer.ts'

export const second = 1000
export const minute = 60 * second
export const hour = 60 * minute
export const day = 24 * hour

/** Keys take a while to make, and may be the same for every contestant. */
const pool = Array.from({ length: 5 }, createKey)

/** One contestant in a fresh process, whose clocks can be moved, and an issuer of its own. */
export class Trial {
  readonly issuer: Issuer
  /** A key that the issuer has, beside one other. */
  readonly key: Key = pool[0]!
  readonly otherKey: Key = pool[1]!
  /** Keys that it hasn't yet. */
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
   * @param advance - Milliseconds by which the contestant's clocks, which stand still from then on, are moved first.
   */
  async call(token: string, advance?: number): Promise<Answer> {
    return this.#client.call(token, advance === undefined ? {} : { 'x-clock-advance': String(advance) })
  }

  async isAccepted(token: string, advance?: number): Promise<boolean> {
    const { status } = await this.call(token, advance)
    return status === 200
  }

  /** Has the contestant learn the keys. */
  async warmUp(): Promise<void> {
    if (!(await this.isAccepted(this.issuer.token(this.key)))) throw new Error('a good token was refused')
  }

  /** Lets what a request has started in the background come to its end. */
  async settle(): Promise<void> {
    do await setTimeout(2)
    while (this.issuer.pending > 0)
  }
}
