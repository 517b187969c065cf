import type { JwksAuthError } from '../errors.ts'
import {
  bearerChallenge,
  hasChallenge,
  withChallenge,
  withoutChallenge,
  type HeaderValue,
} from './challenge.ts'

/** What of a reply is needed here. */
export interface ReplyHeaders {
  readonly statusCode: number
  getHeader(name: 'www-authenticate' | 'retry-after'): HeaderValue
  header(name: 'www-authenticate' | 'retry-after', value: string | number | string[]): unknown
  removeHeader(name: 'www-authenticate' | 'retry-after'): unknown
}

interface Headers {
  challenge?: string
  retryAfter?: number
}

/** On the reply to a request that was refused: its headers, until it is known whether the refusal becomes the answer. */
const refusalHeaders = Symbol('fastify-jwks-auth')

type Refused = Record<symbol, Headers | undefined>

/**
 * Sets the headers of a refusal before it is thrown, so that an application's own error handler keeps them.
 *
 * @param base - The part of a challenge that is always the same.
 */
export function setRefusalHeaders(reply: ReplyHeaders, base: string, error: JwksAuthError): void {
  const headers = ((reply as unknown as Refused)[refusalHeaders] ??= {})
  if (error.retryAfter !== undefined) {
    headers.retryAfter = error.retryAfter
    reply.header('retry-after', error.retryAfter)
    return
  }
  headers.challenge = bearerChallenge(base, error)
  reply.header('www-authenticate', withChallenge(reply.getHeader('www-authenticate'), headers.challenge))
}

/**
 * To be asked when an answer is sent: another strategy may have let the request in since, or refused it as well and
 * written over the challenge. What the application itself made of the headers stays.
 */
export function settleRefusalHeaders(reply: ReplyHeaders): void {
  const headers = (reply as unknown as Refused)[refusalHeaders]
  if (headers === undefined) return
  const { challenge, retryAfter } = headers
  const present = reply.getHeader('www-authenticate')
  if (reply.statusCode < 400) {
    if (challenge !== undefined && present !== undefined) {
      const others = withoutChallenge(present, challenge)
      if (others.length > 0) reply.header('www-authenticate', others)
      else reply.removeHeader('www-authenticate')
    }
    if (reply.getHeader('retry-after') === retryAfter) reply.removeHeader('retry-after')
  } else if (reply.statusCode === 401 && challenge !== undefined && isOfOthers(present)) {
    reply.header('www-authenticate', withChallenge(present, challenge))
  }
}

/** Whether somebody has written over our challenge; one who has removed it meant to. */
function isOfOthers(present: HeaderValue): boolean {
  return present !== undefined && !hasChallenge(present)
}
