import { isObject } from './json.ts'

/** A value that a claim is compared with. */
export type ClaimValue = string | number | boolean

/** The allowed values of each claim, or the allowed values of the members of a claim that is an object. */
export type ClaimValues = ReadonlyMap<string, readonly ClaimValue[] | ClaimValues>

/**
 * The path of the first claim that has none of its allowed values, such as `realm_access.roles`. A claim that is a list must
 * contain one of them.
 */
export function findMismatch(
  values: ClaimValues,
  claims: Readonly<Record<string, unknown>>,
): string | undefined {
  for (const [name, allowed] of values) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    if (isValueList(allowed)) {
      if (![value].flat().some((one) => allowed.includes(one as ClaimValue))) return name
    } else {
      const mismatch = findMismatch(allowed, isObject(value) ? value : {})
      if (mismatch !== undefined) return `${name}.${mismatch}`
    }
  }
  return undefined
}

function isValueList(allowed: readonly ClaimValue[] | ClaimValues): allowed is readonly ClaimValue[] {
  return Array.isArray(allowed)
}
