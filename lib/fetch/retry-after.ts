/**
 * Reads a `Retry-After` header (RFC 9110 section 10.2.3): a number of seconds, or a date.
 *
 * @returns Milliseconds from now, or undefined without a time in the future.
 */
export function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const delay = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now()
  return delay > 0 ? delay : undefined
}
