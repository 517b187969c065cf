import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Program {
  path: string
  /** The reason to skip tests that need the program, or false. */
  skip: string | false
}

/**
 * Finds a program that isn't installed with the project, by the first of its names that exists. If there is none, the tests that need it
 * are skipped. In CI they run, so that they fail.
 */
export function findProgram(...names: [string, ...string[]]): Program {
  const directories = (process.env.PATH ?? '').split(delimiter)
  const path = names
    .flatMap((name) => directories.map((directory) => join(directory, name)))
    .find((file) => existsSync(file))
  const isSkipped = path === undefined && process.env.CI === undefined
  return { path: path ?? names[0], skip: isSkipped && `${names.join(' or ')} is not installed` }
}
