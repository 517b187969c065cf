/** Assertions about options. Every error has the same grammar: the name of the option, then what is right. */

export function invalidOption(name: string, right: string): never {
  throw new TypeError(`fastify-jwks-auth: option "${name}" ${right}`)
}

/**
 * Refuses unknown names, because a misspelled check would be a missing check.
 *
 * @param nested - The option names one level below, by the option that contains them.
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
  if (parent !== undefined) invalidOption(path + unknown, `is unknown; did you mean "${parent}.${unknown}"?`)
  invalidOption(path + unknown, `is unknown; known are ${known.join(', ')}`)
}

export function assertRecord(
  name: string,
  value: unknown,
  right = 'must be a plain object',
): asserts value is Record<string, unknown> {
  if (!isPlainObject(value)) invalidOption(name, right)
}

/** Plain objects of any realm. Inherited members of other objects would be ignored, and a check may be among them. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

export function assertNonEmptyString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') invalidOption(name, 'must be a non-empty string')
}

export function assertFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') invalidOption(name, 'must be a function')
}

export function assertBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') invalidOption(name, 'must be true or false')
}

export function wholeNumber(name: string, value: unknown, min: number, unit = 'milliseconds'): number {
  if (!Number.isSafeInteger(value) || (value as number) < min) {
    invalidOption(name, `must be a whole number of ${unit}, at least ${min}`)
  }
  return value as number
}

/** Returns a copy of a non-empty list whose entries are checked. */
export function list<T>(name: string, value: unknown, entry: (name: string, value: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length === 0)
    invalidOption(name, 'must be a list with at least one entry')
  return Array.from(value, (each, index) => entry(`${name}[${index}]`, each))
}

export function nonEmptyString(name: string, value: unknown): string {
  assertNonEmptyString(name, value)
  return value
}

/** Returns a list of non-empty strings. A single string becomes a list. */
export function stringOrList(name: string, value: unknown): string[] {
  return Array.isArray(value) ? list(name, value, nonEmptyString) : [nonEmptyString(name, value)]
}
