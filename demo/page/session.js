import * as oauth from '/oauth4webapi.js'
import { getBoundToken } from './bound.js'

/**
 * @typedef {{ api: string, issuer: string, audience: string, clientId: string, authorize: Record<string, string>, expiredToken?: string, boundTokens?: boolean }} Settings
 * @typedef {{ accessToken: string, idToken: string, jwksUri: string, bound: import('./bound.js').BoundToken | undefined }} Tokens
 */

/** Session storage key of a started login, which must survive the redirect to the issuer. Tokens stay in memory. */
const loginKey = 'login'

/**
 * Starts the authorization code flow with PKCE by navigating to the issuer.
 * @param {Settings} settings
 * @param {string} scope - The scopes to ask for.
 */
export async function logIn(settings, scope) {
  const { authorization_endpoint: endpoint } = await discover(settings)
  if (!endpoint) throw new Error('The issuer has no authorization endpoint.')
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  sessionStorage.setItem(loginKey, JSON.stringify({ verifier, state, nonce }))

  navigate(endpoint, {
    ...settings.authorize,
    scope,
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
 * Returns the tokens if the browser has come back from the issuer with a code for them.
 * @param {Settings} settings
 * @returns {Promise<Tokens | undefined>}
 */
export async function finishLogIn(settings) {
  const answer = new URL(location.href)
  const started = sessionStorage.getItem(loginKey)
  sessionStorage.removeItem(loginKey)
  if (!answer.searchParams.has('code') && !answer.searchParams.has('error')) return undefined
  // A code can be used once, so a reload must not send it again.
  history.replaceState(null, '', '/')
  if (!started) throw new Error('This login was not started in this tab.')

  const { verifier, state, nonce } = JSON.parse(started)
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
  const {
    access_token,
    id_token = '',
    refresh_token = '',
  } = await oauth.processAuthorizationCodeResponse(server, client, response, expected)
  return {
    accessToken: access_token,
    idToken: id_token,
    jwksUri: server.jwks_uri ?? '',
    bound: settings.boundTokens
      ? await getBoundToken(server, client, refresh_token, transport(settings))
      : undefined,
  }
}

/**
 * Ends the session at the issuer as well, if the issuer has an endpoint for it.
 * @param {Settings} settings
 * @param {string} idToken
 * @returns {Promise<boolean>} whether the browser navigates to the issuer
 */
export async function logOut(settings, idToken) {
  const { end_session_endpoint: endpoint } = await discover(settings)
  if (!endpoint) return false
  navigate(endpoint, {
    id_token_hint: idToken,
    client_id: settings.clientId,
    post_logout_redirect_uri: location.origin,
    state: 'logged-out',
  })
  return true
}

/** Returns whether the browser has just come back from logging out at the issuer. */
export function loggedOut() {
  const hasReturned = new URL(location.href).searchParams.get('state') === 'logged-out'
  if (hasReturned) history.replaceState(null, '', '/')
  return hasReturned
}

/**
 * @param {string} endpoint
 * @param {Record<string, string>} parameters
 */
function navigate(endpoint, parameters) {
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
 * Allows http for the embedded issuer, which is on loopback.
 * @param {Settings} settings
 */
function transport({ issuer }) {
  return { [oauth.allowInsecureRequests]: issuer.startsWith('http://127.0.0.1:') }
}
