/** The logger of the application: pino, or any object with these methods. */
export interface Log {
  warn(details: object, message: string): void
  info(details: object, message: string): void
  debug(details: object, message: string): void
}

const unverified = '; the token was not verified, so anybody may have made it'

// The text of every line that the plugin logs.

// Used DPoP proofs
export const replayStoreFailed: string =
  'the store of used DPoP proofs is full or fails; requests with a proof are refused until it answers'

// Hints about bound tokens and DPoP proofs
export const unconfiguredBinding = (option: 'dpop' | 'mtls'): string =>
  `a verified token was refused, because it is bound to a ${option === 'dpop' ? 'DPoP key' : 'client certificate'} and the option "${option}" is not set`
export const proofClock = (seconds: number): string =>
  `a DPoP proof was refused: by its iat the clock of the client is ${Math.abs(seconds)} seconds ${seconds < 0 ? 'behind' : 'ahead of'} that of this ` +
  'server, or the proof is old; correct the wrong clock'
export const proofUrl: string =
  'a DPoP proof was refused, because its htu is not "dpop.baseUrl" followed by the path of the request; set it to the URL of ' +
  'this server as clients see it, with the path prefix that a gateway strips'

// The registration
export const notRegistered: string =
  'fastify-jwks-auth is not registered in the scope of this route, so every request to it is answered with 500; register ' +
  'the plugin on the same Fastify instance as the route or on a parent of it, and wrap a function that registers it for ' +
  'others in fastify-plugin'

export const authorizeNotCalled: string =
  'authorize is the hook of a route, but it makes hooks; call it with a rule, as in onRequest: authorize({ scope: … }); until ' +
  'then every request to the route is answered with 500'
export const invalidRouteConfig: string =
  "the member jwksAuth of this route's config is wrong, so every request to it is answered with 500"
export const scopeWithoutRoutes: string =
  'fastify-jwks-auth is registered in a scope that has no routes, so it protects none; register the plugin on ' +
  'the Fastify instance of the routes or on a parent of it, and wrap a function that registers it for others in fastify-plugin'

// Options
export const shortTime = (option: string, value: number): string =>
  `option "${option}" is ${value} milliseconds; times are milliseconds, so ${value} seconds are ${value * 1000}`

// Keys of an issuer
export const fetchFailed: string = "the issuer's keys can't be fetched"
export const fetchRecovered: string = 'the issuer answers again'
export const keysSkipped = (count: number): string => `${count} of the issuer's keys are not used`
export const otherKeysSkipped = (count: number): string =>
  `${count} of the issuer's keys are for encryption or for another issuer and are not used`
export const tokenWithoutKid: string =
  'a token without kid was refused, because not exactly one key of the issuer fits its algorithm; if the issuer makes ' +
  'such tokens, configure the issuer to put a kid into the header and into the JWK Set (RFC 7515 section 4.1.4)'

// The store of keys
export const storeFailed: string = 'jwks.store fails, so the keys are neither read from it nor shared'
export const storeRecovered: string = 'jwks.store works again'
export const storedKeysIgnored: string = 'stored keys are ignored'

// The function `issuers`
export const otherIssuer: string =
  'the function "issuers" returned the options of another issuer than the one it was called with; ' +
  'tokens of that issuer are refused'
export const invalidIssuer = (error: string): string => `${error}; tokens of that issuer are refused`
export const optionsThrew: string = 'the function "issuers" returned options that throw when they are read'

// Hints about requests and tokens that were not verified
export const preflight: string =
  'a CORS preflight (an OPTIONS request) was refused: a preflight carries no token; register @fastify/cors before the ' +
  'hooks of this plugin, so that it answers preflights'
export const tokenNotText = (type: string): string =>
  `getToken returned a value of type ${type}; it must return the text of the token, undefined, or a promise of them`
export const literalUndefined = (word: string): string =>
  `the word "${word}" came in place of a token: a client sends a variable that is not set${unverified}`
export const schemeInToken: string = `a token came that begins with the word "Bearer"; getToken must return the token without the scheme${unverified}`
export const quotedToken: string = `a token came in quotation marks; the client must send the token alone, not its JSON text${unverified}`
export const signedCookie: string =
  'a token of four parts came, which is probably the value of a signed cookie; getToken must return the unsigned value, ' +
  'request.unsignCookie(…).value' +
  unverified
export const damagedToken: string =
  'a token came with characters that are in no JWT, such as white space, a line break or "="; it was read from a file without ' +
  'trim(), or it is base64 instead of base64url' +
  unverified
export const encryptedToken: string =
  'an encrypted token (JWE) came, which only its recipient can read; have the client request an access token for this ' +
  'API (Auth0 encrypts tokens that are requested without audience), or turn off encryption at the issuer' +
  unverified
export const opaqueToken: string =
  'a token came that is not a JWT, so only its issuer can read it; have the client request an access token for this ' +
  'API (Auth0: with audience; Okta: from a custom authorization server; Google: use the ID token)' +
  unverified
export const similarIssuer = (differences: readonly string[]): string =>
  `a token came whose iss is not the configured issuer; they differ in: ${differences.join(', ')}${unverified}`
export const unknownIssuer: string = `a token came whose iss is like none of the configured issuers${unverified}`
export const unresolvedIssuer: string = `a token came whose iss the function "issuers" does not know${unverified}`
export const entraVersion: string =
  'a token came from the other version of Entra: the iss of v1.0 is https://sts.windows.net/TENANT/, and that of v2.0 is ' +
  'https://login.microsoftonline.com/TENANT/v2.0; set requestedAccessTokenVersion to 2 in the manifest of the API, or ' +
  'list both issuers in "issuers"' +
  unverified
export const graphToken: string =
  'a token for Microsoft Graph came, which no other API can verify (its header has a nonce); have the client request ' +
  'a token for this API, with a scope such as api://CLIENT_ID/.default' +
  unverified
export const disallowedAlgorithm: string =
  'a token came that is signed with an algorithm that the options do not allow; HS256 needs "secret" (at Auth0, set the ' +
  'signing algorithm of the API to RS256)' +
  unverified
export const unknownKid: string =
  'a token came that names a key which its issuer does not publish for this algorithm; it is from another environment, ' +
  'its key was removed, or "jwksUri" is that of another issuer' +
  unverified
export const invalidSignature: string =
  'a token came whose signature was not made with the key that it names; it was changed, it is from another ' +
  'environment with the same kid, or the issuer has replaced the key under its kid' +
  unverified
export const wrongSecret: string =
  'a token came whose signature was not made with "secret"; if the issuer shows the secret in base64url, decode it: ' +
  "Buffer.from(secret, 'base64url')" +
  unverified

// Hints about verified tokens
export const clockSkew = (seconds: number): string =>
  `the clocks of the issuer and of this server are at least ${seconds} seconds apart: a verified token has its ` +
  'iat in the future; correct the wrong clock, or raise clockTolerance'
export const timeInMilliseconds = (claim: string): string =>
  `a verified token has its ${claim} in milliseconds; RFC 7519 has seconds, so the issuer must divide by 1000 ` +
  '(a token whose exp is in milliseconds does not expire)'
export const idToken: string =
  'an ID token came, which is meant for the client and not for an API; have the client request an access token for ' +
  'this API and send that'
export const similarAudience = (differences: readonly string[]): string =>
  `a verified token was refused because its aud is not the configured audience; they differ in: ${differences.join(', ')}`
export const joinedAudience: string =
  'a verified token was refused because the option "audience" is one text with several audiences in it; write a list of ' +
  "them, such as process.env.AUDIENCE.split(',')"
export const otherAudience: string =
  'a verified token was refused because its aud has none of the configured audiences; have the client request a token ' +
  'for this API, or correct the option "audience"'
export const nestedClaim = (claim: string): string =>
  `a verified token was refused for its ${claim}: the options name a claim with dots in its name, and the token has a ` +
  `nested claim; write { ${claim.replaceAll('.', ': { ')}: … }${' }'.repeat(claim.split('.').length - 1)} in "claims"`
export const noScopes = (claims: readonly string[]): string =>
  `a verified token was refused for its scopes, because it has none of the claims with scopes (${claims.join(', ')}); have the ` +
  'client request scopes, name the claim in "scopeClaims", or require roles with authorize({ claims })'
export const notBoolean = (callback: string, type: string): string =>
  `${callback} returned a value of type ${type}; only ${callback === 'check' ? 'true' : 'false'} lets a request pass`
export const invalidClaim = (claim: string): string =>
  `a verified token was refused for its ${claim}, which is missing or does not have the value that the options require`
