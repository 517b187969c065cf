import * as oauth from '/oauth4webapi.js'

/** @typedef {{ accessToken: string, proofs: oauth.DPoPHandle }} BoundToken */

/**
 * Gets an access token that is bound to a new key (RFC 9449). The browser can sign with the key and doesn't export it.
 * @param {oauth.AuthorizationServer} server
 * @param {oauth.Client} client
 * @param {string} refreshToken
 * @param {oauth.HttpRequestOptions<'POST', URLSearchParams>} transport
 * @returns {Promise<BoundToken>}
 */
export async function getBoundToken(server, client, refreshToken, transport) {
  const key = await oauth.generateKeyPair('ES256', { extractable: false })
  const proofs = oauth.DPoP(client, key)
  const options = { ...transport, DPoP: proofs }
  const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refreshToken, options)
  const { access_token } = await oauth.processRefreshTokenResponse(server, client, response)
  return { accessToken: access_token, proofs }
}

/**
 * Sends a GET request with the token and a new proof.
 * @param {BoundToken} token
 * @param {string} url
 * @returns {Promise<{ response: Response, headers: Record<string, string> }>} the answer, and the headers of the request
 */
export async function callWithProof({ accessToken, proofs }, url) {
  /** @type {Record<string, string>} */
  let headers = {}
  const options = {
    DPoP: proofs,
    // The API of the demo is on loopback.
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (
      /** @type {string} */ to,
      /** @type {oauth.CustomFetchOptions<string, any>} */ init,
    ) => {
      headers = init.headers
      return fetch(to, init)
    },
  }
  try {
    const response = await oauth.protectedResourceRequest(
      accessToken,
      'GET',
      new URL(url),
      undefined,
      null,
      options,
    )
    return { response, headers }
  } catch (error) {
    // A refusal is an answer that the page shows.
    if (error instanceof oauth.WWWAuthenticateChallengeError) return { response: error.response, headers }
    throw error
  }
}
