/** Assertions about options. Every error has the same grammar: the name of the option, then what is right. */

/** @param isUnset - Whether the value looks like an environment variable that is not set. */
export function invalidOption(name: string, right: string, isUnset = false): never {
  const question = isUnset ? '; is an environment variable unset?' : ''
  throw new TypeError(`fastify-jwks-auth: option "${name}" ${right}${question}`)
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
  const similar = known.find((name) => isMisspelled(unknown, name))
  const question = similar === undefined ? '' : `; did you mean "${path}${similar}"?`
  invalidOption(path + unknown, `is unknown; known are ${known.join(', ')}${question}`)
}

/** Whether a name is probably another spelling of a known one: a beginning, or at most two wrong characters, one in short names. */
function isMisspelled(name: string, known: string): boolean {
  const [written, right] = [name, known].map((each) => each.toLowerCase().replaceAll(/[_-]/g, '')) as [
    string,
    string,
  ]
  if (written.length < 3) return false
  return right.startsWith(written) || distance(written, right) <= (written.length < 6 ? 1 : 2)
}

/** The number of characters to insert, delete or replace (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [index, character] of Array.from(one).entries()) {
    const next = [index + 1]
    for (let column = 1; column < row.length; column += 1) {
      const replaced = row[column - 1]! + (character === other[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1))
    }
    row = next
  }
  return row.at(-1)!
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
