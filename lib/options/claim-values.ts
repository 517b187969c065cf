import type { ClaimValue, ClaimValues } from '../jwt/claim-values.ts'
import { assertRecord, invalidOption, list } from './assert.ts'

/** Reads the option `claims` of an issuer or of a rule. */
export function readClaimValues(name: string, value: unknown): ClaimValues {
  if (value === undefined) return new Map()
  assertRecord(name, value)
  if (Object.keys(value).length === 0) invalidOption(name, 'must name at least one claim')
  return new Map(
    Object.entries(value).map(([claim, allowed]) => [claim, readAllowed(`${name}.${claim}`, allowed)]),
  )
}

function readAllowed(name: string, allowed: unknown): ClaimValue[] | ClaimValues {
  if (Array.isArray(allowed)) return list(name, allowed, readValue)
  if (typeof allowed === 'object' && allowed !== null) return readClaimValues(name, allowed)
  return [readValue(name, allowed)]
}

function readValue(name: string, value: unknown): ClaimValue {
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'boolean' || Number.isFinite(value)) return value as ClaimValue
  invalidOption(name, 'must be a non-empty string, a number, a boolean, a list of them or an object of them')
}
