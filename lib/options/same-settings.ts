import { isDeepStrictEqual } from 'node:util'
import type { IssuerSettings } from './issuer-options.ts'

/** Whether two settings of an issuer accept the same tokens. */
export function isSame(one: IssuerSettings, other: IssuerSettings): boolean {
  return isDeepStrictEqual(comparable(one), comparable(other))
}

/**
 * What decides about tokens, whatever the order of lists: not where documents are shown to be. What a URL is made of is
 * hidden from comparisons, in which versions of Node differ.
 */
function comparable(settings: IssuerSettings): object {
  const { jwksUri, rules } = settings
  const lists = {
    audience: rules.audience && new Set(rules.audience),
    requiredClaims: new Set(rules.requiredClaims),
    claims: new Map(Array.from(rules.claims, ([name, values]) => [name, new Set(values)])),
  }
  return {
    ...settings,
    rules: { ...rules, ...lists },
    jwksUri: jwksUri?.href,
    openIdConfiguration: undefined,
  }
}
