import { readRule, type Rule } from './rule.ts'

/** What a route requires: nothing, a token or none, or a rule. Undefined if its `config` does not say. */
export type RouteRequirement = undefined | false | 'optional' | Rule

/** Each rule is read once: where its route is declared, or with the first request if the plugin was loaded after that. */
const rules = new WeakMap<object, Rule>()

/**
 * Reads the member `jwksAuth` of a route's `config`.
 *
 * @throws {TypeError} It names the member and says what is right.
 */
export function readRouteConfig(value: unknown): RouteRequirement {
  if (value === undefined || value === false || value === 'optional') return value
  const known = rules.get(value as object)
  if (known) return known
  const rule = readRule(value, 'config.jwksAuth', "must be false, 'optional' or a rule, as in { scope: … }")
  rules.set(value as object, rule)
  return rule
}
