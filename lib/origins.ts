import { isUtf8 } from 'node:buffer'
import { isLastCharacterExact, type JoseHeader } from './jwt/token.ts'
import type { Verifier } from './issuers/key-verifier.ts'

/** Where tokens come from that begin in the same way. */
export interface Origin {
  readonly header: JoseHeader
  readonly verifier: Verifier
}

interface Beginning extends Origin {
  /** `"iss":"…"`, and the byte of the claims at which it begins. */
  readonly member: Buffer
  readonly begin: number
}

/** The headers of an issuer's tokens are few. Where they aren't, remembering them is of no use. */
const mostHeaders = 100
const longestHeader = 1_024

/**
 * What the tokens began with that were verified lately: their header, and their `iss` where most issuers' tokens have it, at
 * one place. One that begins so too is probably by the same key, and needs to be read only once: by who verifies it.
 */
export class Origins {
  readonly #byHeader = new Map<string, Beginning>()

  /**
   * The origin that a token seems to have: a guess, for whoever verifies it and then compares the `iss` of the verified claims.
   * Everything else of its form is right where it is verified: a header of this text was read before, fast-jwt sees to the alphabet and to dots that are too
   * many, and the signature's last character is looked at beside it.
   */
  find(raw: string): Origin | undefined {
    const first = raw.indexOf('.')
    const origin = this.#byHeader.get(raw.slice(0, first))
    if (origin === undefined) return undefined
    const segment = raw.slice(first + 1, raw.lastIndexOf('.'))
    const claims = Buffer.from(segment, 'base64url')
    const { member, begin } = origin
    const isFamiliar = claims.subarray(begin, begin + member.length).equals(member)
    return isFamiliar && isLastCharacterExact(segment) && isUtf8(claims) ? origin : undefined
  }

  /**
   * Only for verified tokens, so that strangers can't crowd others out. Of issuers that share a header the first is kept for as
   * long as its key is settled.
   *
   * @param now - Milliseconds of the monotonic clock.
   */
  remember(raw: string, origin: Origin, now: number): void {
    const first = raw.indexOf('.')
    const header = raw.slice(0, first)
    const present = this.#byHeader.get(header)
    if (header.length > longestHeader || (present && now < present.verifier.until)) return
    const member = Buffer.from(`"iss":${JSON.stringify(origin.verifier.issuer)}`)
    const begin = Buffer.from(raw.slice(first + 1, raw.lastIndexOf('.')), 'base64url').indexOf(member)
    if (begin === -1) return
    if (this.#byHeader.size === mostHeaders) this.#byHeader.clear()
    // A copy, since the slice would hold on to the whole token.
    this.#byHeader.set(Buffer.from(header).toString(), { ...origin, member, begin })
  }
}
