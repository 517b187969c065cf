/** @typedef {Record<string, unknown>} Claims */

/**
 * Returns the claims of a JWT without verifying it, which is the API's job. Undefined if the token is not a JWT.
 * @param {string} token
 * @returns {Claims | undefined}
 */
export function read(token) {
  try {
    const claims = JSON.parse(decode(token.split('.')[1] ?? ''))
    return typeof claims === 'object' && claims !== null ? claims : undefined
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
  return [header, encode(JSON.stringify({ ...read(token), sub: 'admin' })), signature].join('.')
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
