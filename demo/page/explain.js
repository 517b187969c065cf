/**
 * @import { Claims, Token } from './token.js'
 * @typedef {'Signature' | 'Expiry' | 'Audience' | 'Scope'} CheckName
 * @typedef {{ name: string, result: 'passed' | 'failed' | 'skipped', text: string }} Check
 * @typedef {{ path: string, token: Token | undefined, audience: string, ok: boolean, code: string | undefined }} Call
 */

/**
 * What the routes of the API require.
 * @type {Record<string, { token: boolean, scope?: string }>}
 */
const routes = {
  '/ping': { token: false },
  '/secured/ping': { token: true },
  '/reports': { token: true, scope: 'read:reports' },
}

/**
 * Why the API refuses a request: a sentence for each code, and the check that failed, if the code names exactly one.
 * @type {Record<string, [sentence: string, failed?: CheckName]>}
 */
const refusals = {
  authorization_header_missing: ['The request carries no access token.'],
  invalid_header: ['The API can’t read the token, or the issuer’s JWKS has no key for it.'],
  invalid_algorithm: ['The token is signed with an algorithm that the API doesn’t allow.'],
  token_invalid_signature: ['The signature no longer fits: a claim was changed.', 'Signature'],
  token_expired: ['The token is genuine, but its time is over.', 'Expiry'],
  token_not_active: ['The token is not valid yet.', 'Expiry'],
  invalid_audience: ['The token is meant for another API.', 'Audience'],
  invalid_claims: ['The token comes from another issuer, or a claim is not as the API requires.'],
  invalid_binding: ['The token is bound to a key, and the request doesn’t prove that its sender has it.'],
  invalid_dpop_proof: ['The proof of the key is missing, was used before, or is for another request.'],
  insufficient_scope: ['The token is valid, but its scope doesn’t allow this call.', 'Scope'],
  jwks_unavailable: ['The API can’t reach the issuer, so it has no key to check the token with.'],
}

/**
 * Says in one sentence why the API answered as it did.
 * @param {Call} call
 */
export function explain({ path, token, ok, code = '' }) {
  if (!ok) return refusals[code]?.[0] ?? ''
  if (!routes[path]?.token) return 'This route is public. The API looks at no token.'
  return token ? 'The token passed every check.' : ''
}

/** The scope that a call needs and the token doesn't have. @param {Call} call */
export function missingScope({ path, code }) {
  return code === 'insufficient_scope' ? routes[path]?.scope : undefined
}

/**
 * The checks of the token in the order of the API, as far as the answer tells their results.
 * @param {Call} call
 * @returns {Check[]}
 */
export function checks({ path, token, audience, ok, code = '' }) {
  const route = routes[path]
  const failed = refusals[code]?.[1]
  if (!token || !route?.token || !(ok || failed)) return []
  const { kid, claims } = token
  const key = `key \`${kid}\` of the issuer’s JWKS`
  const until = time(claims.exp)
  const { scope } = route
  const has = `the token has \`${scopes(claims).join(' ') || 'none'}\``
  /** @type {[name: CheckName, passed: string, failed: string][]} */
  const rows = [
    ['Signature', `fits ${key}`, `doesn’t fit ${key}`],
    ['Expiry', `valid until ${until}`, `expired at ${until}`],
    [
      'Audience',
      `\`aud\` is \`${audience}\`, this API`,
      `\`aud\` is \`${text(claims.aud)}\`, not \`${audience}\``,
    ],
    [
      'Scope',
      scope ? `\`${scope}\` is required, ${has}` : 'this route requires none',
      `\`${scope}\` is missing, ${has}`,
    ],
  ]
  const stop = rows.findIndex(([name]) => name === failed)
  return rows.map(([name, passed, reason], index) => {
    if (index === stop) return { name, result: 'failed', text: reason }
    return stop === -1 || index < stop
      ? { name, result: 'passed', text: passed }
      : { name, result: 'skipped', text: 'not checked' }
  })
}

/**
 * The scopes of a token, where OAuth servers and Auth0 put them.
 * @param {Claims} claims
 * @returns {string[]}
 */
export function scopes({ scope, permissions }) {
  const listed = Array.isArray(permissions) ? permissions.map(String) : []
  return [...(typeof scope === 'string' ? scope.split(' ') : []), ...listed]
}

/** @param {unknown} seconds */
export function time(seconds) {
  return new Date(Number(seconds) * 1000).toLocaleTimeString()
}

/** @param {unknown} value */
export function text(value) {
  if (Array.isArray(value)) return value.join(' ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
