import { text, time } from './explain.js'
import { clone, element, find, write } from './view.js'

/**
 * The meaning of registered claims (RFC 7519, RFC 9068) and of Auth0's `permissions`, in display order.
 * @type {Record<string, string>}
 */
const meanings = {
  sub: 'the user',
  scope: 'what the token allows',
  permissions: 'what the token allows',
  aud: 'the API that it is for',
  iss: 'the issuer',
  client_id: 'the client that requested it',
  azp: 'the client that requested it',
  iat: 'issued at',
  nbf: 'not valid before',
  exp: 'expires at',
  jti: 'token ID',
}
const order = Object.keys(meanings)
const main = ['sub', 'scope', 'permissions', 'aud']
const times = ['exp', 'iat', 'nbf']

/**
 * @param {import('./token.js').Token} token
 * @param {import('./session.js').Tokens} tokens
 */
export function showToken({ alg, kid, claims }, { accessToken, jwksUri }) {
  write(document, '#alg', alg)
  write(document, '#kid', kid)
  find('#jwks', HTMLAnchorElement).href = jwksUri
  const names = order.filter((name) => name in claims)
  const rows = [...new Set([...names, ...Object.keys(claims)])].map((name) => ({
    name,
    row: claimRow(name, claims[name]),
  }))
  const isMain = (/** @type {{ name: string }} */ { name }) => main.includes(name)
  find('#claims', HTMLElement).replaceChildren(...rows.filter(isMain).map(({ row }) => row))
  find('#more dl', HTMLElement).replaceChildren(
    ...rows.filter((entry) => !isMain(entry)).map(({ row }) => row),
  )
  find('#more', HTMLDetailsElement).open = matchMedia('(min-width: 66rem) and (min-height: 50rem)').matches

  // Each of the three parts in its own color.
  const parts = accessToken.split('.').map((part, index) => element('span', `part-${index}`, part))
  find('#raw', HTMLElement).replaceChildren(...parts.flatMap((part, index) => (index ? ['.', part] : [part])))
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function claimRow(name, value) {
  const row = clone('#claim')
  write(row, 'code', name)
  write(row, 'small', meanings[name] ?? '')
  write(row, 'dd', times.includes(name) ? time(value) : text(value))
  return row
}
