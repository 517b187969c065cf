/** A JSON object: neither null nor a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Freezes a value made of JSON, so that requests may share it. A loop, since its depth is not ours to choose. */
export function deepFreeze<T>(value: T): T {
  const pending: unknown[] = [value]
  for (const item of pending) {
    if (typeof item !== 'object' || item === null) continue
    Object.freeze(item)
    for (const member of Object.values(item)) pending.push(member)
  }
  return value
}
