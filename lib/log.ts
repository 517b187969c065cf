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

// Hints about tokens that were not verified
export const literalUndefined = (word: string): string =>
  `the word "${word}" came in place of a token: a client sends a variable that is not set${unverified}`
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

// Hints about verified tokens
export const clockSkew = (seconds: number): string =>
  `the clocks of the issuer and of this server are at least ${seconds} seconds apart: a verified token has its ` +
  'iat in the future; correct the wrong clock, or raise clockTolerance'
export const idToken: string =
  'an ID token came, which is meant for the client and not for an API; have the client request an access token for ' +
  'this API and send that'
export const invalidClaim = (claim: string): string =>
  `a verified token was refused for its ${claim}, which is missing or does not have the value that the options require`
