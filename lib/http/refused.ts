import type { JwksAuthError } from '../errors.ts'
import {
  bearerChallenge,
  hasChallenge,
  withChallenge,
  withoutChallenge,
  type HeaderValue,
} from './challenge.ts'

type Name = 'www-authenticate' | 'retry-after'

/** What of a reply is needed here. */
export interface ReplyHeaders {
  getHeader(name: Name): HeaderValue
  header(name: Name, value: string | number | string[]): unknown
  removeHeader(name: Name): unknown
  /** Whether the application has taken the answer into its own hands (`hijack`), before its head is sent. */
  readonly sent: boolean
  readonly raw: RawHead
}

/** Of Node's response, which sends a head by `writeHead`, whoever has it sent. */
interface RawHead {
  writeHead: (statusCode: number) => unknown
  setHeader(name: Name, value: string | number | string[]): unknown
  removeHeader(name: Name): unknown
}

/**
 * Sets the headers of a refusal before it is thrown, so that an application's own error handler keeps them. When the
 * answer is sent, another strategy may have let the request in, or refused it as well and written over the challenge. What
 * the application itself made of the headers stays.
 *
 * @param base - The part of a challenge that is always the same.
 */
export function setRefusalHeaders(reply: ReplyHeaders, base: string, error: JwksAuthError): void {
  const { retryAfter } = error
  if (retryAfter !== undefined) {
    reply.header('retry-after', retryAfter)
    beforeHead(reply, (statusCode) => {
      if (statusCode < 400 && reply.getHeader('retry-after') === retryAfter) put(reply, 'retry-after', [])
    })
    return
  }
  const challenge = bearerChallenge(base, error)
  reply.header('www-authenticate', withChallenge(reply.getHeader('www-authenticate'), challenge))
  beforeHead(reply, (statusCode) => settleChallenge(reply, challenge, statusCode))
}

/** By Node's own response, since an `onSend` hook would cost every answer of the application something. */
function beforeHead(reply: ReplyHeaders, act: (statusCode: number) => void): void {
  const { raw } = reply
  const { writeHead } = raw
  raw.writeHead = (...parameters) => {
    if (!reply.sent) act(parameters[0])
    return writeHead.apply(raw, parameters)
  }
}

function settleChallenge(reply: ReplyHeaders, challenge: string, statusCode: number): void {
  const present = reply.getHeader('www-authenticate')
  // One who has removed it meant to.
  if (present === undefined) return
  if (statusCode < 400) put(reply, 'www-authenticate', withoutChallenge(present, challenge))
  else if (statusCode === 401 && !hasChallenge(present)) {
    put(reply, 'www-authenticate', [withChallenge(present, challenge)].flat())
  }
}

/** To Node's response as well, where the headers of a stream have gone by now: Fastify before 5.12 leaves them there. */
function put(reply: ReplyHeaders, name: Name, values: string[]): void {
  if (values.length === 0) {
    reply.removeHeader(name)
    reply.raw.removeHeader(name)
  } else {
    reply.header(name, values)
    reply.raw.setHeader(name, values)
  }
}
