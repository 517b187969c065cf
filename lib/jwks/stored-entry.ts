import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { CountedFetch } from './fetch-limiter.ts'

/** Entries of another format are ignored. Their keys differ as well, so that two versions of the package can share a store. */
const format = '1'

/** An issuer's good answer. Times are milliseconds of the wall clock, because processes share them. */
export interface StoredAnswer {
  /** When the issuer was asked. */
  readonly fetchedAt: number
  /** The recent fetches for unknown `kid`s, by all processes. */
  readonly unknownKids: readonly CountedFetch[]
  /** The recent fetches for failed signatures, by all processes. */
  readonly failedSignatures: readonly CountedFetch[]
  readonly document: unknown
}

/** Tells other processes that one is about to ask the issuer. */
export interface Claim {
  /** The beginning of the answer that the new one will replace. */
  readonly replaces: string
  readonly claimedAt: number
  readonly process: string
}

interface Contents {
  answer: StoredAnswer
  claim: Claim
}

/** What an entry is about. It is authenticated, so an entry of one issuer is useless for another one. */
export interface Subject {
  readonly issuer: string
  /** Where the options say that the keys are. With another `jwksUri` the stored keys are not used. */
  readonly location: string
}

/** An entry of one issuer in a store, authenticated by HMAC-SHA256 (RFC 2104). */
export class StoredEntry<Kind extends keyof Contents> {
  readonly key: string
  readonly #subject: string
  readonly #secret: Buffer

  constructor(kind: Kind, { issuer, location }: Subject, secret: Buffer) {
    this.#subject = JSON.stringify([kind, issuer, location])
    this.#secret = secret
    this.key = `jwks-${kind}-${format}-${createHash('sha256').update(this.#subject).digest('hex')}`
  }

  seal(content: Contents[Kind]): string {
    const payload = JSON.stringify([this.#subject, content])
    return `${format}.${this.#authenticate(payload).toString('base64url')}.${payload}`
  }

  /** Returns the content, or the reason why the entry can't be used. */
  open(text: string): Contents[Kind] | string {
    const [, code, payload] = new RegExp(`^${format}\\.([^.]+)\\.(.+)$`, 's').exec(text) ?? []
    if (code === undefined || payload === undefined) return 'it has another format'
    const [given, expected] = [Buffer.from(code, 'base64url'), this.#authenticate(payload)]
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      return 'it was changed, or written with another storeSecret'
    }
    const [subject, content] = JSON.parse(payload) as [string, Contents[Kind]]
    return subject === this.#subject ? content : 'it is for another issuer or jwksUri'
  }

  /** The secret may have other uses. So the authenticated text begins with a name. */
  #authenticate(payload: string): Buffer {
    return createHmac('sha256', this.#secret).update(`fastify-jwks-auth ${format}.${payload}`).digest()
  }
}
