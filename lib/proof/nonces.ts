import { createHmac, timingSafeEqual } from 'node:crypto'
import type { NonceSettings } from '../options/sender-constraint-options.ts'

/**
 * The nonces that proofs must contain (RFC 9449 sections 8 and 9). A nonce is the time when it was made, with an HMAC. So no process
 * stores any, and processes with the same secret accept each other's. Times are milliseconds since the epoch.
 */
export class Nonces {
  readonly #secret: Buffer
  readonly #lifetime: number

  constructor({ secret, lifetime }: NonceSettings) {
    this.#secret = secret
    this.#lifetime = lifetime
  }

  create(now: number): string {
    return this.#nonceOf(now.toString(36))
  }

  /** A nonce is accepted for its lifetime, and for one more while clients learn its successor. */
  accepts(nonce: string, now: number): boolean {
    const age = this.#ageOf(nonce, now)
    return age !== undefined && Math.abs(age) < 2 * this.#lifetime
  }

  /** Whether the client should get a new nonce. */
  isAging(nonce: string, now: number): boolean {
    return this.#ageOf(nonce, now)! > this.#lifetime / 2
  }

  /** Undefined for a text that is no nonce of these. Another process may be ahead of this one, so the age can be negative. */
  #ageOf(nonce: string, now: number): number | undefined {
    const [time = ''] = nonce.split('.', 1)
    const expected = Buffer.from(this.#nonceOf(time))
    const given = Buffer.from(nonce)
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
    return now - Number.parseInt(time, 36)
  }

  #nonceOf(time: string): string {
    const hmac = createHmac('sha256', this.#secret).update(`fastify-jwks-auth DPoP-Nonce ${time}`)
    return `${time}.${hmac.digest('base64url')}`
  }
}
