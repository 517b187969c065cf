import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Installed {
  /** Where it is, or an empty string. */
  path: string
  /** Why its tests are left out, for `skip`. */
  skip: string | false
}

/**
 * A program that tests need and a machine may lack, by any of its names. What is left out without it is said, since the
 * reporter passes over skipped tests; CI leaves nothing out.
 */
export function installed(names: string[], tests: string): Installed {
  const directories = (process.env.PATH ?? '').split(delimiter)
  const path = directories.flatMap((directory) => names.map((name) => join(directory, name))).find(canRun)
  if (path !== undefined) return { path, skip: false }

  const skip = `${names[0]} is not installed`
  if (process.env.CI) throw new Error(`${tests}: ${skip}, and CI leaves no test out`)
  console.log(`Left out: ${tests}, since ${skip}.`)
  return { path: '', skip }
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
