import { assertRecord, invalidOption, list, nonEmptyString } from './assert.ts'

/** Where a token has its scopes, and which of them imply others. */
export interface ScopeSettings {
  /** The claims that hold scopes. */
  readonly scopeClaims: readonly string[]
  /** The scopes that a scope implies, without those that these imply in turn. */
  readonly impliedScopes: ReadonlyMap<unknown, readonly string[]>
}

/** `scope` is in RFC 8693 and RFC 9068, `scp` comes from Entra and Okta, `permissions` from Auth0. */
const defaultScopeClaims: readonly string[] = ['scope', 'scp', 'permissions']

/**
 * With this scope a client asks its issuer for a refresh token (OpenID Connect Core section 11). No API needs the client to have one,
 * so neither the metadata nor a challenge names it.
 */
export const refreshTokenScope: string = 'offline_access'

/** Whether a text is one scope (RFC 6749 section 3.3, `scope-token`). */
export function isScopeToken(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)
}

/** @throws {TypeError} An option is wrong, or scopes imply each other in a cycle. */
export function readScopeOptions(
  scopeClaims: unknown = defaultScopeClaims,
  implied: unknown = {},
): ScopeSettings {
  assertRecord('impliedScopes', implied, 'must be an object of lists: { broader: [narrower] }')
  const impliedScopes = new Map(
    Object.entries(implied).map(([scope, narrower]) => {
      const name = `impliedScopes["${scope}"]`
      return [oneScope(name, scope), list(name, narrower, oneScope)]
    }),
  )
  for (const scope of impliedScopes.keys()) assertNoCycle(scope, impliedScopes)
  return Object.freeze({
    scopeClaims: Object.freeze(list('scopeClaims', scopeClaims, nonEmptyString)),
    impliedScopes,
  })
}

export function oneScope(name: string, value: unknown): string {
  if (typeof value !== 'string' || !isScopeToken(value)) {
    invalidOption(
      name,
      'must be one scope of printable ASCII without spaces, quotes and backslashes (RFC 6749 section 3.3)',
    )
  }
  return value
}

function assertNoCycle(scope: string, impliedScopes: ReadonlyMap<string, readonly string[]>): void {
  const found = new Set([scope])
  // The loop also visits the scopes that it adds.
  for (const broader of found) {
    for (const narrower of impliedScopes.get(broader) ?? []) {
      if (narrower === scope)
        invalidOption('impliedScopes', `must have no cycle, but "${scope}" implies itself`)
      found.add(narrower)
    }
  }
}
