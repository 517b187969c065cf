/** @typedef {{ path: string, sent: string, status: string, good: boolean, ms: number, challenge: string | undefined, body: string }} Exchange */

/**
 * The meaning of registered claims (RFC 7519, RFC 9068) and of Auth0's `permissions`, in display order.
 * @type {Record<string, string>}
 */
const meanings = {
  sub: 'subject (the user)',
  scope: 'granted scopes',
  permissions: 'granted permissions',
  iss: 'issuer',
  aud: 'audience (the API)',
  client_id: 'client that requested it',
  azp: 'client that requested it',
  iat: 'issued at',
  nbf: 'not valid before',
  exp: 'expires at',
  jti: 'ID of this token',
}
const order = Object.keys(meanings)
const times = ['exp', 'iat', 'nbf']

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} parent
 * @returns {T}
 */
export function find(selector, type, parent = document) {
  const element = parent.querySelector(selector)
  if (element instanceof type) return element
  throw new Error(`The page has no ${selector}`)
}

/**
 * @param {HTMLElement} list
 * @param {Record<string, unknown>} claims
 */
export function showClaims(list, claims) {
  list.replaceChildren(
    ...Object.entries({ ...inOrder(claims), ...claims }).map(([name, value]) => {
      const row = clone('#claim')
      write(row, 'code', name)
      write(row, 'small', meanings[name] ?? '')
      write(
        row,
        'dd',
        times.includes(name) ? new Date(Number(value) * 1000).toLocaleTimeString() : text(value),
      )
      return row
    }),
  )
}

/** @param {Record<string, unknown>} claims */
function inOrder(claims) {
  return Object.fromEntries(order.filter((name) => name in claims).map((name) => [name, claims[name]]))
}

/**
 * Shows each of the three parts of a JWT in its own color.
 * @param {HTMLElement} parent
 * @param {string} token
 */
export function showToken(parent, token) {
  const parts = token.split('.').map((part, index) => {
    const span = document.createElement('span')
    span.className = `part-${index}`
    span.textContent = part
    return span
  })
  parent.replaceChildren(...parts.flatMap((part, index) => (index ? ['.', part] : [part])))
}

/**
 * @param {HTMLElement} list
 * @param {Exchange} exchange
 */
export function showExchange(list, { path, sent, status, good, ms, challenge, body }) {
  const item = clone('#exchange')
  const badge = find('.badge', HTMLElement, item)
  badge.textContent = status
  badge.classList.toggle('good', good)
  write(item, '.request', `GET ${path}`)
  write(item, '.sent', sent)
  write(item, '.ms', `${ms} ms`)
  write(item, '.challenge', challenge ?? 'none')
  find('.challenge', HTMLElement, item).classList.toggle('none', !challenge)
  write(item, '.body', pretty(body))
  list.prepend(item)
  item.scrollIntoView({ block: 'nearest' })
  while (list.childElementCount > 8) list.lastElementChild?.remove()
}

/** @param {number} seconds */
export function clock(seconds) {
  const digits = (/** @type {number} */ number) => String(number).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  return `${hours ? `${hours}:` : ''}${digits(minutes % 60)}:${digits(seconds % 60)}`
}

/**
 * @param {string} selector
 * @returns {HTMLElement}
 */
function clone(selector) {
  const { firstElementChild } = find(selector, HTMLTemplateElement).content
  return /** @type {HTMLElement} */ (firstElementChild?.cloneNode(true))
}

/**
 * @param {HTMLElement} parent
 * @param {string} selector
 * @param {string} content
 */
function write(parent, selector, content) {
  find(selector, HTMLElement, parent).textContent = content
}

/** @param {unknown} value */
function text(value) {
  if (Array.isArray(value)) return value.join(' ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** @param {string} body */
function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
