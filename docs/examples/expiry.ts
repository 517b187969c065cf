import type { FastifyRequest } from 'fastify'

// #region expiry
/** The longest delay of a timer in Node, in milliseconds. A longer one would fire at once. */
const longest = 2 ** 31 - 1

/** Calls `end` when the request's token expires. Returns a function that cancels this. */
export function atExpiry({ accessToken }: FastifyRequest, end: () => void): () => void {
  const left = accessToken!.claims.exp * 1000 - Date.now()
  const timer = setTimeout(end, Math.min(left, longest))
  return () => clearTimeout(timer)
}
// #endregion
