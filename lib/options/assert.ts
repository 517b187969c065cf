/** Assertions about options. They share one grammar: the option's name, then what is right. */

export function wrong(name: string, right: string): never {
  throw new TypeError(`fastify-jwks-auth: option "${name}" ${right}`)
}

/**
 * Refuses names that are not known, since a misspelled check is a missing one.
 *
 * @param nested - The names that are known one level further down, by the option that they belong to.
 */
export function assertNames(
  path: string,
  options: object,
  known: readonly string[],
  nested: Readonly<Record<string, readonly string[]>> = {},
): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const parent = Object.keys(nested).find((name) => nested[name]!.includes(unknown))
  if (parent !== undefined) wrong(path + unknown, `is unknown; did you mean "${parent}.${unknown}"?`)
  wrong(path + unknown, `is unknown; known are ${known.join(', ')}`)
}

export function assertRecord(
  name: string,
  value: unknown,
  right = 'must be a plain object',
): asserts value is Record<string, unknown> {
  if (!isPlainObject(value)) wrong(name, right)
}

/** Of any realm. What other objects inherit would be passed over, a check among it. */
function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

export function assertText(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') wrong(name, 'must be a non-empty string')
}

export function assertFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') wrong(name, 'must be a function')
}

export function assertFlag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') wrong(name, 'must be true or false')
}

export function wholeNumber(name: string, value: unknown, least: number, unit = 'milliseconds'): number {
  if (!Number.isSafeInteger(value) || (value as number) < least) {
    wrong(name, `must be a whole number of ${unit}, at least ${least}`)
  }
  return value as number
}

/** A copy of a list that has members, each of them checked. */
export function list<T>(name: string, value: unknown, member: (name: string, value: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length === 0) wrong(name, 'must be a list with at least one entry')
  return Array.from(value, (entry, index) => member(`${name}[${index}]`, entry))
}

export function text(name: string, value: unknown): string {
  assertText(name, value)
  return value
}

/** One non-empty string, or a list of them. */
export function texts(name: string, value: unknown): string[] {
  return Array.isArray(value) ? list(name, value, text) : [text(name, value)]
}
