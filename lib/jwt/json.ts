/** Whether a value is a JSON object: neither null nor a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Freezes an object that was parsed from JSON, so that requests may share it. It is a loop, because the depth is unbounded. */
export function freezeDeeply(root: object): void {
  const containers: object[] = [root]
  for (const container of containers) {
    Object.freeze(container)
    for (const value of Object.values(container) as unknown[]) {
      if (typeof value === 'object' && value !== null) containers.push(value)
    }
  }
}
