/** Whether a value is a JSON object: neither null nor a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Maximum number of objects and lists within each other. Parsing, freezing and serializing deeper JSON is slow, or throws. */
const maxDepth = 64

/** Whether JSON is nested too deeply. It is not parsed for that. */
export function isTooDeep(json: string): boolean {
  // Nearly all tokens have few brackets. Searching for them takes a seventh of the time that looking at each character takes.
  if (countOf('{', json) + countOf('[', json) <= maxDepth) return false
  let depth = 0
  let isInString = false
  for (let index = 0; index < json.length; index += 1) {
    const character = json[index]!
    if (character === '"') isInString = !isInString
    else if (isInString) index += character === '\\' ? 1 : 0
    else if (character === '{' || character === '[') depth += 1
    else if (character === '}' || character === ']') depth -= 1
    if (depth > maxDepth) return true
  }
  return false
}

/** Counts to one more than the maximum depth. */
function countOf(bracket: '{' | '[', json: string): number {
  let count = 0
  let index = json.indexOf(bracket)
  while (index !== -1 && count <= maxDepth) {
    count += 1
    index = json.indexOf(bracket, index + 1)
  }
  return count
}

/** Freezes an object that was parsed from JSON, so that requests may share it. */
export function freezeDeeply(root: object): void {
  const containers: object[] = [root]
  for (const container of containers) {
    Object.freeze(container)
    for (const value of Object.values(container) as unknown[]) {
      if (typeof value === 'object' && value !== null) containers.push(value)
    }
  }
}
