import { setStackTraceLimit } from '../errors.ts'

/** A request whose body or headers don't say which tools it calls. */
function requestError(statusCode: 400 | 415, code: string, message: string): Error {
  const limit = setStackTraceLimit(0)
  const error = new Error(message)
  setStackTraceLimit(limit)
  return Object.assign(error, { statusCode, code })
}

export const headerMismatch = (): Error =>
  requestError(400, 'mcp_header_mismatch', 'the headers Mcp-Method and Mcp-Name must agree with the body')
export const invalidToolName = (): Error =>
  requestError(400, 'mcp_invalid_tool_name', 'the name of a tool must be a string')
export const unreadBody = (): Error =>
  requestError(415, 'mcp_unsupported_body', 'the body must be a JSON-RPC message, or a list of them')
