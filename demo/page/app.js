import { finishLogIn, loggedOut, logIn, logOut } from './session.js'
import { read, tamper } from './token.js'
import { clock, find, showClaims, showExchange, showToken } from './view.js'

/** @type {import('./session.js').Settings} */
const settings = await (await fetch('/settings.json')).json()

/** In memory only, so a reload removes them. @type {import('./session.js').Tokens | undefined} */
let tokens

const notice = find('#notice', HTMLElement)
const answers = find('#answers', HTMLElement)
const countdown = find('#countdown', HTMLElement)
const life = find('#life', HTMLProgressElement)

/** @type {Record<string, { sent: string, token: () => Promise<string | undefined> }>} */
const kinds = {
  none: { sent: 'without a token', token: async () => undefined },
  own: { sent: 'with your token', token: async () => tokens?.accessToken },
  tampered: { sent: 'with a tampered token', token: async () => tokens && tamper(tokens.accessToken) },
  expired: {
    sent: 'with an expired token',
    token: async () => (await fetch(settings.expiredToken ?? '')).text(),
  },
}

find('#api', HTMLElement).textContent = settings.api
find('#issuer', HTMLElement).textContent = settings.issuer
find('#expired', HTMLElement).hidden = !settings.expiredToken
find('#log-in', HTMLButtonElement).addEventListener('click', () => showErrors(() => logIn(settings)))
find('#again', HTMLButtonElement).addEventListener('click', () => showErrors(() => logIn(settings)))
find('#log-out', HTMLButtonElement).addEventListener('click', () => showErrors(logOutEverywhere))
find('#call', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault()
  const path = event.submitter?.getAttribute('value') ?? '/ping'
  void showErrors(() => call(path, find('[name=with]:checked', HTMLInputElement).value))
})
for (const button of document.querySelectorAll('button')) button.disabled = false

if (loggedOut()) say('Logged out. The page has deleted the token.')
await showErrors(async () => {
  tokens = await finishLogIn(settings)
  show()
})
setInterval(tick, 1000)

/** Shows the current token, if there is one, and enables the choices that need it. */
function show() {
  const claims = tokens && read(tokens.accessToken)
  find('#logged-out', HTMLElement).hidden = Boolean(tokens)
  find('#logged-in', HTMLElement).hidden = !tokens
  for (const kind of ['own', 'tampered']) {
    find(`[value=${kind}]`, HTMLInputElement).disabled = !claims
  }
  find(`[value=${claims ? 'own' : 'none'}]`, HTMLInputElement).checked = true
  showClaims(find('#claims', HTMLElement), claims ?? {})
  showToken(find('#raw', HTMLElement), tokens?.accessToken ?? '')
  tick()
  if (claims) say(`Logged in as ${String(claims.sub)}.`)
  else if (tokens) say("The access token is not a JWT. Check that the issuer knows the API's audience.", true)
}

function tick() {
  const { exp, iat } = (tokens && read(tokens.accessToken)) ?? {}
  if (typeof exp !== 'number') return
  const left = Math.max(0, Math.ceil(exp - Date.now() / 1000))
  if (!left && life.value) say('The token has expired.')
  life.max = exp - Number(iat)
  life.value = left
  find('#life-label', HTMLElement).textContent = left ? 'Expires in' : 'Expired'
  countdown.textContent = clock(left)
}

/**
 * @param {string} path
 * @param {string} kind
 */
async function call(path, kind) {
  const { sent, token } = kinds[kind] ?? {}
  const bearer = await token?.()
  const start = performance.now()
  /** @type {Response} */
  let response
  try {
    response = await fetch(
      settings.api + path,
      bearer ? { headers: { Authorization: `Bearer ${bearer}` } } : {},
    )
  } catch {
    throw new Error(
      `No response from ${settings.api}. The API is down, or it doesn't allow the origin of this page.`,
    )
  }
  const body = await response.text()
  const challenge = response.headers.get('WWW-Authenticate') ?? undefined
  const status = `${response.status} ${response.statusText}`
  const ms = Math.round(performance.now() - start)
  showExchange(answers, { path, sent: sent ?? '', status, good: response.ok, ms, body, challenge })
  find('#empty', HTMLElement).hidden = true
  notice.textContent = ''
  find('#spoken', HTMLElement).textContent = `GET ${path} ${sent}: ${status}, ${ms} ms`
}

async function logOutEverywhere() {
  const idToken = tokens?.idToken ?? ''
  // Deleted first, because the browser may restore this page from its back/forward cache.
  tokens = undefined
  show()
  if (!(await logOut(settings, idToken)))
    say('Logged out of this page only. The issuer has no logout endpoint, so its session continues.')
}

/**
 * @param {string} text
 * @param {boolean} bad
 */
function say(text, bad = false) {
  notice.classList.toggle('bad', bad)
  notice.textContent = text
}

/** @param {() => Promise<void>} action */
async function showErrors(action) {
  try {
    await action()
  } catch (error) {
    say(message(error), true)
  }
}

/** @param {unknown} error */
function message(error) {
  if (!(error instanceof Error)) return String(error)
  // The issuer's own description of an OAuth error, if it sent one.
  const description = 'error_description' in error ? error.error_description : undefined
  return typeof description === 'string' ? `Error from the issuer: ${description}` : error.message
}
