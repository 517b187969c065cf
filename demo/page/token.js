/** @typedef {Record<string, unknown>} Claims */

/**
 * What a token says, not verified: that is for the API. Undefined where it is no JWT.
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
 * Somebody else's token, with the signature of this one.
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
