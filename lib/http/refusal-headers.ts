import type { JwksAuthError } from '../errors.ts'
import { hasSchemesOf, withChallenges, withoutChallenges, type HeaderValue } from './www-authenticate.ts'

type Name = 'www-authenticate' | 'retry-after'

/** The members of a Fastify reply that are used here. */
export interface ReplyHeaders {
  getHeader(name: Name): HeaderValue
  header(name: Name, value: string | number | string[]): unknown
  removeHeader(name: Name): unknown
  /** True after `hijack`, and once the response has ended. */
  readonly sent: boolean
  readonly raw: RawResponse
}

/** The members of Node's response that are used here. */
interface RawResponse {
  writeHead: (statusCode: number) => unknown
  setHeader(name: Name, value: string | number | string[]): unknown
  removeHeader(name: Name): unknown
  readonly writableEnded: boolean
}

/** The headers that refusals have set on a reply. */
interface RefusalHeaders {
  challenges?: readonly string[]
  retryAfter?: number
}

/** On the reply, from a refusal until the answer is sent. */
const key = Symbol('fastify-jwks-auth')

type RefusedReply = Record<symbol, RefusalHeaders | undefined>

/**
 * Sets the headers of a refusal before the error is thrown, so that an error handler of the application keeps them. They are
 * corrected when the answer is sent: another strategy of `@fastify/auth` may have accepted the request, or it may have refused
 * the request and overwritten the challenge. Changes that the application itself made to the headers stay.
 */
export function setRefusalHeaders(
  reply: ReplyHeaders,
  challenges: readonly string[],
  error: JwksAuthError,
): void {
  const headers = headersOf(reply)
  if (error.retryAfter !== undefined) {
    headers.retryAfter = error.retryAfter
    reply.header('retry-after', error.retryAfter)
    return
  }
  headers.challenges = challenges
  reply.header('www-authenticate', withChallenges(reply.getHeader('www-authenticate'), headers.challenges))
}

/** One object for all refusals of a request: there may be any number of them. */
function headersOf(reply: ReplyHeaders): RefusalHeaders {
  const refused = reply as unknown as RefusedReply
  const present = refused[key]
  if (present) return present
  const headers: RefusalHeaders = {}
  refused[key] = headers
  beforeHead(reply, (statusCode) => correct(reply, headers, statusCode))
  return headers
}

/** Wraps `writeHead` of this response. An `onSend` hook would add to the cost of every answer of the application. */
function beforeHead(reply: ReplyHeaders, act: (statusCode: number) => void): void {
  const { raw } = reply
  const { writeHead } = raw
  raw.writeHead = (...parameters) => {
    // After `hijack` the headers are the application's. An HTTP/2 response without a body has ended before its head is written.
    if (!reply.sent || raw.writableEnded) act(parameters[0])
    return writeHead.apply(raw, parameters)
  }
}

function correct(reply: ReplyHeaders, { challenges, retryAfter }: RefusalHeaders, statusCode: number): void {
  if (challenges !== undefined) correctChallenges(reply, challenges, statusCode)
  if (statusCode < 400 && retryAfter !== undefined && reply.getHeader('retry-after') === retryAfter) {
    replace(reply, 'retry-after', [])
  }
}

function correctChallenges(reply: ReplyHeaders, challenges: readonly string[], statusCode: number): void {
  const present = reply.getHeader('www-authenticate')
  // The application has removed it.
  if (present === undefined) return
  // An error of the server says nothing about the credentials: a swallowed refusal came before it.
  if (statusCode < 400 || statusCode >= 500) {
    replace(reply, 'www-authenticate', withoutChallenges(present, challenges))
  } else if (statusCode === 401 && !hasSchemesOf(present, challenges)) {
    replace(reply, 'www-authenticate', [withChallenges(present, challenges)].flat())
  }
}

/**
 * Fastify passes the object with its headers to `writeHead`, so a change of the reply is sent. For a stream Fastify has already
 * copied the headers to Node's response, so they are changed there as well.
 */
function replace(reply: ReplyHeaders, name: Name, values: string[]): void {
  if (values.length === 0) {
    reply.removeHeader(name)
    reply.raw.removeHeader(name)
  } else {
    reply.header(name, values)
    reply.raw.setHeader(name, values)
  }
}
