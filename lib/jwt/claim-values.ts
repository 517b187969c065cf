import { assertRecord, list, wrong } from '../options/assert.ts'

/** A value that a claim can be compared with. */
export type ClaimValue = string | number | boolean

/** By the claim's name, the values of which one will do. */
export type ClaimValues = ReadonlyMap<string, readonly ClaimValue[]>

/** Reads an option that holds a value or a list of values for each claim. */
export function readClaimValues(name: string, value: unknown): ClaimValues {
  if (value === undefined) return new Map()
  assertRecord(name, value)
  if (Object.keys(value).length === 0) wrong(name, 'must name at least one claim')
  return new Map(
    Object.entries(value).map(([claim, allowed]) => {
      const path = `${name}.${claim}`
      return [claim, Array.isArray(allowed) ? list(path, allowed, claimValue) : [claimValue(path, allowed)]]
    }),
  )
}

function claimValue(name: string, value: unknown): ClaimValue {
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'boolean' || Number.isFinite(value)) return value as ClaimValue
  wrong(name, 'must be a non-empty string, a number, a boolean or a list of them')
}
