import type { JwksAuthError } from '../errors.ts'
import {
  bearerChallenge,
  hasChallenge,
  withChallenge,
  withoutChallenge,
  type HeaderValue,
} from './www-authenticate.ts'

type Name = 'www-authenticate' | 'retry-after'

/** What of a reply is needed here. */
export interface ReplyHeaders {
  getHeader(name: Name): HeaderValue
  header(name: Name, value: string | number | string[]): unknown
  removeHeader(name: Name): unknown
  /** Whether the application has taken the answer into its own hands (`hijack`), or the response has ended. */
  readonly sent: boolean
  readonly raw: RawHead
}

/** Of Node's response, which sends a head by `writeHead`, whoever has it sent. */
interface RawHead {
  writeHead: (statusCode: number) => unknown
  setHeader(name: Name, value: string | number | string[]): unknown
  removeHeader(name: Name): unknown
  readonly writableEnded: boolean
}

interface Headers {
  challenge?: string
  retryAfter?: number
}

/** On the reply to a request that was refused: its headers, until it is known whether the refusal becomes the answer. */
const refusalHeaders = Symbol('fastify-jwks-auth')

type Refused = Record<symbol, Headers | undefined>

/**
 * Sets the headers of a refusal before it is thrown, so that an application's own error handler keeps them. When the
 * answer is sent, another strategy may have let the request in, or refused it as well and written over the challenge. What
 * the application itself made of the headers stays.
 *
 * @param base - The part of a challenge that is always the same.
 */
export function setRefusalHeaders(reply: ReplyHeaders, base: string, error: JwksAuthError): void {
  const headers = headersOf(reply)
  if (error.retryAfter !== undefined) {
    headers.retryAfter = error.retryAfter
    reply.header('retry-after', error.retryAfter)
    return
  }
  headers.challenge = bearerChallenge(base, error)
  reply.header('www-authenticate', withChallenge(reply.getHeader('www-authenticate'), headers.challenge))
}

/** One for all refusals of a request: there may be any number of them. */
function headersOf(reply: ReplyHeaders): Headers {
  const refused = reply as unknown as Refused
  const present = refused[refusalHeaders]
  if (present) return present
  const headers: Headers = {}
  refused[refusalHeaders] = headers
  beforeHead(reply, (statusCode) => settle(reply, headers, statusCode))
  return headers
}

/** By Node's own response, since an `onSend` hook would cost every answer of the application something. */
function beforeHead(reply: ReplyHeaders, act: (statusCode: number) => void): void {
  const { raw } = reply
  const { writeHead } = raw
  raw.writeHead = (...parameters) => {
    // A response by HTTP/2 without a body has ended by now, whose answer it may be.
    if (!reply.sent || raw.writableEnded) act(parameters[0])
    return writeHead.apply(raw, parameters)
  }
}

function settle(reply: ReplyHeaders, { challenge, retryAfter }: Headers, statusCode: number): void {
  if (challenge !== undefined) settleChallenge(reply, challenge, statusCode)
  if (statusCode < 400 && retryAfter !== undefined && reply.getHeader('retry-after') === retryAfter) {
    put(reply, 'retry-after', [])
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

/**
 * A reply hands its headers to `writeHead` as the object in which it keeps them, so that what is changed here is sent. Those of a
 * stream were handed on one by one before: they are changed in Node's response too (`removeHeader` does so from Fastify 5.12 on).
 */
function put(reply: ReplyHeaders, name: Name, values: string[]): void {
  if (values.length === 0) {
    reply.removeHeader(name)
    reply.raw.removeHeader(name)
  } else {
    reply.header(name, values)
    reply.raw.setHeader(name, values)
  }
}
