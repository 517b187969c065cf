/** A JSON object: neither null nor a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Bytes in memory, rather more than less: an object or a list, one member of it with its name, a string without its characters. */
const sizes = { container: 64, member: 120, string: 24, character: 2 }

/** Freezes an object made of JSON, so that requests may share it. A loop, since its depth is not ours to choose. */
export function freezeDeeply(root: object): void {
  const containers: object[] = [root]
  for (const container of containers) {
    Object.freeze(container)
    for (const value of Object.values(container) as unknown[]) {
      if (typeof value === 'object' && value !== null) containers.push(value)
    }
  }
}

/** About how many bytes an object made of JSON takes in memory. */
export function weigh(root: object): number {
  const containers: object[] = [root]
  let bytes = 0
  for (const container of containers) {
    bytes += sizes.container
    for (const [name, value] of Object.entries(container) as [string, unknown][]) {
      bytes += sizes.member + sizes.character * name.length
      if (typeof value === 'string') bytes += sizes.string + sizes.character * value.length
      else if (typeof value === 'object' && value !== null) containers.push(value)
    }
  }
  return bytes
}
