import type { FastifyRequest } from 'fastify'

// #region expiry
/** The longest time that a timer takes; it would take a longer one for none. */
const longest = 2 ** 31 - 1

/** Calls back when the request's token ends. The result calls that off. */
export function atExpiry({ accessToken }: FastifyRequest, end: () => void): () => void {
  const left = accessToken!.claims.exp * 1000 - Date.now()
  const timer = setTimeout(end, Math.min(left, longest))
  return () => clearTimeout(timer)
}
// #endregion
