/**
 * Sets the number of stack frames of errors made from now on, in the whole process; set it back at once. Taking frames is the
 * dearest part of a refusal, strangers decide how often, and Fastify's say nothing about why.
 *
 * @returns The number before.
 */
export function setStackTraceLimit(limit: number): number {
  const before = Error.stackTraceLimit
  // Unlike an assignment it does not throw where intrinsics are frozen.
  Reflect.set(Error, 'stackTraceLimit', limit)
  return before
}
