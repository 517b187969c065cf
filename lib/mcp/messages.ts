import { isPlainObject } from '../options/assert.ts'

/** A message of JSON-RPC, as far as authorization reads it. It comes from a client: every member may have any type. */
export interface Message {
  readonly method?: unknown
  readonly params?: unknown
}

/** What the headers of a request say about the message in its body (MCP, Streamable HTTP, "Standard Request Headers"). */
export interface MessageHeaders {
  readonly method: string | undefined
  readonly name: string | undefined
  /** Whether each header is sent once at most, and can be decoded. */
  readonly areValid: boolean
}

/** The parameter that `Mcp-Name` repeats, by method. For `tasks/…` it is `taskId`. */
const nameParameters: ReadonlyMap<unknown, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
])

/** @param rawHeaders - Names and values in turn. Node joins the values of a header that is sent twice, which hides that. */
export function readMessageHeaders(rawHeaders: readonly string[]): MessageHeaders {
  const methods = valuesOf(rawHeaders, 'mcp-method')
  const names = valuesOf(rawHeaders, 'mcp-name').map(decodeName)
  return {
    method: methods[0],
    name: names[0],
    areValid: methods.length <= 1 && names.length <= 1 && !names.includes(undefined),
  }
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter(
    (_value, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === name,
  )
}

/** Decodes `=?base64?…?=`, in which clients send names that a header can't contain. Undefined if it can't be decoded. */
function decodeName(value: string): string | undefined {
  const [, encoded] = /^=\?base64\?(.*)\?=$/.exec(value) ?? []
  if (encoded === undefined) return value
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.toString('base64') !== encoded) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** The messages of a body: one, or those of a batch. Undefined if the body was not parsed to an object or a list. */
export function messagesOf(body: unknown): readonly Message[] | undefined {
  if (Array.isArray(body)) return body.map((entry) => (isPlainObject(entry) ? entry : {}))
  return isPlainObject(body) ? [body] : undefined
}

/** Whether the headers say of every message what it says itself. */
export function agree({ method, name }: MessageHeaders, messages: readonly Message[]): boolean {
  return messages.every(
    (message) =>
      (method === undefined || message.method === method) && (name === undefined || nameOf(message) === name),
  )
}

/** The names of the tools that the messages call. A call without an id is a call. */
export function toolsCalledBy(messages: readonly Message[]): unknown[] {
  return messages.filter(({ method }) => method === 'tools/call').map(nameOf)
}

function nameOf({ method, params }: Message): unknown {
  const isTask = typeof method === 'string' && method.startsWith('tasks/')
  const parameter = nameParameters.get(method) ?? (isTask ? 'taskId' : undefined)
  return parameter !== undefined && isPlainObject(params) ? params[parameter] : undefined
}
