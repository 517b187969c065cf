import * as oauth from '/oauth4webapi.js'

/**
 * @typedef {{ api: string, issuer: string, clientId: string, authorize: Record<string, string>, expiredToken?: string }} Settings
 * @typedef {{ accessToken: string, idToken: string }} Tokens
 */

/** The one thing that has to outlive the way to the provider and back. The tokens stay in memory. */
const pending = 'login'

/**
 * Leaves for the provider: authorization code with PKCE.
 * @param {Settings} settings
 */
export async function logIn(settings) {
  const { authorization_endpoint: endpoint } = await discover(settings)
  if (!endpoint) throw new Error('The provider has no authorization endpoint.')
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  sessionStorage.setItem(pending, JSON.stringify({ verifier, state, nonce }))

  leaveFor(endpoint, {
    ...settings.authorize,
    response_type: 'code',
    client_id: settings.clientId,
    redirect_uri: location.origin,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
}

/**
 * The tokens, where the browser comes back from the provider with a code for them.
 * @param {Settings} settings
 * @returns {Promise<Tokens | undefined>}
 */
export async function finishLogIn(settings) {
  const answer = new URL(location.href)
  const begun = sessionStorage.getItem(pending)
  sessionStorage.removeItem(pending)
  if (!answer.searchParams.has('code') && !answer.searchParams.has('error')) return undefined
  // A code is good once: a reload must not bring it again.
  history.replaceState(null, '', '/')
  if (!begun) throw new Error('This login was not begun here.')

  const { verifier, state, nonce } = JSON.parse(begun)
  const server = await discover(settings)
  const client = { client_id: settings.clientId }
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    oauth.validateAuthResponse(server, client, answer, state),
    location.origin,
    verifier,
    transport(settings),
  )
  const expected = { expectedNonce: nonce, requireIdToken: true }
  const { access_token, id_token = '' } = await oauth.processAuthorizationCodeResponse(
    server,
    client,
    response,
    expected,
  )
  return { accessToken: access_token, idToken: id_token }
}

/**
 * Ends the session at the provider as well, where it has a way to.
 * @param {Settings} settings
 * @param {string} idToken
 * @returns {Promise<boolean>} whether the browser leaves for the provider
 */
export async function logOut(settings, idToken) {
  const { end_session_endpoint: endpoint } = await discover(settings)
  if (!endpoint) return false
  leaveFor(endpoint, {
    id_token_hint: idToken,
    client_id: settings.clientId,
    post_logout_redirect_uri: location.origin,
    state: 'logged-out',
  })
  return true
}

/** Whether the browser has just come back from logging out. */
export function loggedOut() {
  const back = new URL(location.href).searchParams.get('state') === 'logged-out'
  if (back) history.replaceState(null, '', '/')
  return back
}

/**
 * @param {string} endpoint
 * @param {Record<string, string>} parameters
 */
function leaveFor(endpoint, parameters) {
  const url = new URL(endpoint)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  location.assign(url)
}

/** @param {Settings} settings */
async function discover(settings) {
  const issuer = new URL(settings.issuer)
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, transport(settings)))
}

/**
 * The embedded provider speaks http, on loopback.
 * @param {Settings} settings
 */
function transport({ issuer }) {
  return { [oauth.allowInsecureRequests]: issuer.startsWith('http://127.0.0.1:') }
}
