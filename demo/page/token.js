/**
 * @typedef {Record<string, unknown>} Claims
 * @typedef {{ alg: string, kid: string, claims: Claims }} Token
 */

/**
 * Reads a JWT without verifying it, which is the API's job. Undefined if the token is not a JWT.
 * @param {string} token
 * @returns {Token | undefined}
 */
export function read(token) {
  try {
    const [header = '', claims = ''] = token.split('.')
    const { alg, kid } = JSON.parse(decode(header))
    return { alg, kid, claims: JSON.parse(decode(claims)) }
  } catch {
    return undefined
  }
}

/**
 * Returns the token with another `sub` and the unchanged signature.
 * @param {string} token
 */
export function tamper(token) {
  const [header, , signature] = token.split('.')
  return [header, encode(JSON.stringify({ ...read(token)?.claims, sub: 'admin' })), signature].join('.')
}

/** @param {string} text */
function decode(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)))
}

/** @param {string} text */
function encode(text) {
  const binary = String.fromCharCode(...new TextEncoder().encode(text))
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
