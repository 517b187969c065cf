import { showAnswer } from './answers.js'
import { callWithProof } from './bound.js'
import { showToken } from './claims.js'
import { checks, explain, missingScope, scopes } from './explain.js'
import { attempt, orUnreachable } from './failures.js'
import { finishLogIn, loggedOut, logIn, logOut } from './session.js'
import { read, tamper } from './token.js'
import { clock, copyOnClick, find, say } from './view.js'

/** @type {import('./session.js').Settings} */
const settings = await (await fetch('/settings.json')).json()

/** In memory only, so a reload removes them. @type {import('./session.js').Tokens | undefined} */
let tokens

const loginNotice = find('#login-notice', HTMLElement)
const callNotice = find('#call-notice', HTMLElement)
const countdown = find('#countdown', HTMLElement)
const life = find('#life', HTMLProgressElement)

/** @type {Record<string, { sent: string, token: () => Promise<string | undefined> }>} */
const kinds = {
  none: { sent: 'no token', token: async () => undefined },
  own: { sent: 'your token', token: async () => tokens?.accessToken },
  tampered: { sent: 'tampered token', token: async () => tokens && tamper(tokens.accessToken) },
  expired: {
    sent: 'expired token',
    token: async () => (await reach(settings.issuer, settings.expiredToken ?? '')).text(),
  },
  bound: { sent: 'bound token with a proof', token: async () => tokens?.bound?.accessToken },
  copied: { sent: 'bound token without its key', token: async () => tokens?.bound?.accessToken },
}

find('#api', HTMLElement).textContent = settings.api
find('#issuer', HTMLElement).textContent = settings.issuer
find('#metadata', HTMLAnchorElement).href = `${settings.api}/.well-known/oauth-protected-resource`
find('#expired', HTMLElement).hidden = !settings.expiredToken
for (const id of ['#bound', '#copied']) find(id, HTMLElement).hidden = !settings.boundTokens
for (const id of ['#log-in', '#again']) onClick(id, () => attempt(loginNotice, () => startLogIn()))
onClick('#log-out', () => attempt(loginNotice, logOutEverywhere))
copyOnClick(find('#copy-token', HTMLButtonElement), () => tokens?.accessToken ?? '')
find('#call', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  const path = event.submitter?.getAttribute('value') ?? '/ping'
  void attempt(callNotice, () => call(path, find('[name=with]:checked', HTMLInputElement).value))
})
for (const button of document.querySelectorAll('button')) button.disabled = false

if (loggedOut()) say(loginNotice, 'Logged out. The page has deleted the token.')
await attempt(loginNotice, async () => {
  tokens = await orUnreachable(settings.issuer, finishLogIn(settings))
  show()
})
setInterval(tick, 1000)

/** Shows the current token, if there is one, and enables the choices that need it. */
function show() {
  const token = tokens && read(tokens.accessToken)
  find('#logged-out', HTMLElement).hidden = Boolean(tokens)
  find('#logged-in', HTMLElement).hidden = !tokens
  find('#token', HTMLElement).hidden = !token
  find('.life', HTMLElement).hidden = !token
  for (const kind of ['own', 'tampered', 'bound', 'copied']) {
    find(`[value=${kind}]`, HTMLInputElement).disabled = !token
  }
  find(`[value=${token ? 'own' : 'none'}]`, HTMLInputElement).checked = true
  if (tokens && token) {
    showToken(token, tokens)
    say(loginNotice, `Logged in as ${String(token.claims.sub)}.`)
  } else if (tokens) {
    say(loginNotice, "The access token is not a JWT. Check that the issuer knows the API's audience.", true)
  }
  tick()
}

function tick() {
  const { exp, iat } = (tokens && read(tokens.accessToken)?.claims) ?? {}
  if (typeof exp !== 'number') return
  const left = Math.max(0, Math.ceil(exp - Date.now() / 1000))
  if (!left && life.value)
    say(loginNotice, 'The API accepts an expired token for 5 more seconds, because clocks may differ.')
  life.max = exp - Number(iat)
  life.value = left
  find('#life-label', HTMLElement).textContent = left ? 'Your token expires in' : 'Your token has expired'
  countdown.textContent = clock(left)
}

/**
 * @param {string} path
 * @param {string} kind
 */
async function call(path, kind) {
  const { sent = '', token: getToken } = kinds[kind] ?? {}
  const raw = await getToken?.()
  const start = performance.now()
  const { response, headers } = await orUnreachable(settings.api, send(path, kind, raw))
  const body = await response.text()
  const ms = Math.round(performance.now() - start)
  say(callNotice, '')

  const { ok, status, statusText } = response
  const token = raw ? read(raw) : undefined
  const made = { path, token, audience: settings.audience, ok, code: ok ? undefined : codeOf(body) }
  const why = explain(made)
  const missing = missingScope(made)
  showAnswer({
    path,
    sent,
    status,
    statusText,
    ok,
    ms,
    why,
    checks: checks(made),
    challenge: response.headers.get('WWW-Authenticate'),
    body,
    curl: `curl -i -w '\\n' ${headerOptions(headers)}${settings.api}${path}`,
    wider:
      missing === undefined
        ? undefined
        : {
            label: `Get a token with ${missing}`,
            get: (notice) => attempt(notice, () => startLogIn([...scopes(token?.claims ?? {}), missing])),
          },
  })
  find('#spoken', HTMLElement).textContent = `GET ${path} with ${sent}: ${status} ${statusText}. ${why}`
}

/**
 * Sends a request. Returns the answer, and the headers with which it was sent.
 * @param {string} path
 * @param {string} kind
 * @param {string | undefined} raw
 */
async function send(path, kind, raw) {
  const url = settings.api + path
  if (kind === 'bound' && tokens?.bound) return callWithProof(tokens.bound, url)
  /** @type {Record<string, string>} */
  const headers = raw ? { Authorization: `Bearer ${raw}` } : {}
  return { response: await fetch(url, { headers }), headers }
}

/** @param {Record<string, string>} headers */
function headerOptions(headers) {
  return Object.entries(headers)
    .map(([name, value]) => `-H '${name}: ${value}' `)
    .join('')
}

/** @param {string[]} wanted - Scopes to ask for in addition to the page's own. */
async function startLogIn(wanted = []) {
  const own = (settings.authorize.scope ?? '').split(' ')
  const scope = [...new Set([...own, ...wanted])].join(' ')
  await orUnreachable(settings.issuer, logIn(settings, scope))
}

async function logOutEverywhere() {
  const idToken = tokens?.idToken ?? ''
  // Deleted first, because the browser may restore this page from its back/forward cache.
  tokens = undefined
  say(loginNotice, '')
  show()
  if (!(await orUnreachable(settings.issuer, logOut(settings, idToken)))) {
    say(
      loginNotice,
      'Logged out of this page only. The issuer has no logout endpoint, so its session continues.',
    )
  }
}

/**
 * @param {string} server
 * @param {string} url
 * @param {RequestInit} init
 */
function reach(server, url, init = {}) {
  return orUnreachable(server, fetch(url, init))
}

/** @param {string} body */
function codeOf(body) {
  try {
    return JSON.parse(body).code
  } catch {
    return undefined
  }
}

/**
 * @param {string} selector
 * @param {() => void} action
 */
function onClick(selector, action) {
  find(selector, HTMLButtonElement).addEventListener('click', action)
}
