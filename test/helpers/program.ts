import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Program {
  path: string
  /** For the option of a test: why it is left out, if it is. */
  skip: string | false
}

/**
 * A program that isn't installed with the project, under the first of its names. Without it the tests that need it are
 * left out, and say so. Where CI is set they aren't: there a missing program is a failure.
 */
export function findProgram(...names: [string, ...string[]]): Program {
  const directories = (process.env.PATH ?? '').split(delimiter)
  const path = names
    .flatMap((name) => directories.map((directory) => join(directory, name)))
    .find((file) => existsSync(file))
  const isLeftOut = path === undefined && process.env.CI === undefined
  return { path: path ?? names[0], skip: isLeftOut && `${names.join(' or ')} is not installed` }
}
