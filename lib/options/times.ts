import { isObject } from '../jwt/json.ts'

/** Smaller values are probably meant in seconds. */
const usualMinimum: Readonly<Record<string, number>> = {
  clockTolerance: 1_000,
  maxTokenAge: 60_000,
  maxAuthAge: 1_000,
  refreshInterval: 1_000,
  maxStale: 1_000,
  cooldown: 1_000,
  timeout: 100,
}

/** A time that is probably meant in seconds. */
export interface ShortTime {
  readonly option: string
  readonly value: number
}

/**
 * Finds the times that are probably meant in seconds. 0 is meant as such.
 *
 * @param path - Precedes the names of options.
 * @param options - Checked options of one level.
 */
export function findShortTimes(path: string, options: object): ShortTime[] {
  return Object.entries(options).flatMap(([name, value]) =>
    typeof value === 'number' && value > 0 && Object.hasOwn(usualMinimum, name) && value < usualMinimum[name]!
      ? [{ option: path + name, value }]
      : [],
  )
}

/** @param options - The checked options of the plugin. */
export function findShortPluginTimes({
  issuers,
  jwks,
  ...options
}: {
  readonly issuers?: unknown
  readonly jwks?: unknown
}): ShortTime[] {
  const entries: unknown[] = Array.isArray(issuers) ? issuers : []
  return [
    ...findShortTimes('', options),
    ...entries.flatMap((entry, index) => findShortTimes(`issuers[${index}].`, entry as object)),
    ...(isObject(jwks) ? findShortTimes('jwks.', jwks) : []),
  ]
}
