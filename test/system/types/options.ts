import { expectTypeOf } from 'expect-type'
import type { FastifyRequest } from 'fastify'
import type {
  AccessTokenClaims,
  AsymmetricAlgorithm,
  ClaimValue,
  ResolveIssuer,
  IssuerOptions,
  JwksAuthOptions,
  JwksOptions,
  JwsAlgorithm,
  SecretAlgorithm,
} from '../../../lib/index.ts'
import { fileStore } from '../../../lib/stores/file.ts'
import { redisStore } from '../../../lib/stores/redis.ts'

/** Is only compiled: the options that the types accept and refuse. */

const issuer = 'https://issuer.example'
const domain = 'tenant.example'
const audience = 'api'
const audiences = ['api', 'web'] as const
const secret = 'a shared secret'
const jwksUri = 'https://keys.example'

const accept = (..._options: JwksAuthOptions[]): void => {}

// One issuer, by its identifier or its domain.
accept({ issuer, audience }, { domain, audience })
// @ts-expect-error - an issuer is required
accept({ audience })
// @ts-expect-error - one of the two
accept({ issuer, domain, audience })
// @ts-expect-error
accept({ issuer: new URL(issuer), audience })
// @ts-expect-error
accept({ domain: [domain], audience })
// @ts-expect-error - may be undefined
accept({ issuer: process.env.ISSUER, audience })
// @ts-expect-error - may be undefined
accept({ domain: process.env.AUTH0_DOMAIN, audience })

// An audience, or false.
accept({ issuer, audience: ['api', 'web'] }, { issuer, audience: audiences }, { issuer, audience: false })
// @ts-expect-error - an audience is required
accept({ issuer })
// @ts-expect-error
accept({ issuer, audience: true })
// @ts-expect-error
accept({ issuer, audience: undefined })
// @ts-expect-error - may be undefined
accept({ issuer, audience: process.env.AUTH0_AUDIENCE })
// @ts-expect-error - may be undefined
accept({ issuer, audience: [process.env.AUTH0_AUDIENCE] })

// Published keys, a secret, or both.
accept({ issuer, audience, jwksUri }, { domain, audience, jwksUri })
accept({ issuer, audience, secret }, { domain, audience, secret: Buffer.from(secret) })
accept({ issuer, audience, secret: new Uint8Array(32), algorithms: ['HS256', 'HS384', 'HS512'] })
accept({ issuer, audience, secret, jwksUri, algorithms: ['HS256', 'RS256'] })
// @ts-expect-error
accept({ issuer, audience, secret: [1, 2, 3] })
// @ts-expect-error - may be undefined
accept({ issuer, audience, secret: process.env.AUTH0_CLIENT_SECRET })
// @ts-expect-error
accept({ issuer, audience, jwksUri: new URL(jwksUri) })

// Names of algorithms.
const algorithms = ['RS256', 'ES512', 'EdDSA', 'Ed25519'] as const
accept({ issuer, audience, algorithms })
// @ts-expect-error
accept({ issuer, audience, algorithms: ['none'] })
// @ts-expect-error
accept({ issuer, audience, algorithms: ['rs256'] })
// @ts-expect-error
accept({ issuer, audience, algorithms: 'RS256' })
expectTypeOf<JwsAlgorithm>().toEqualTypeOf<AsymmetricAlgorithm | SecretAlgorithm>()
expectTypeOf<SecretAlgorithm>().toEqualTypeOf<'HS256' | 'HS384' | 'HS512'>()

// Rules on claims.
accept({
  issuer,
  audience,
  claims: { token_use: 'access', client_id: audiences, level: 1, admin: true },
})
accept({ issuer, audience, requiredClaims: audiences, profile: 'rfc9068', maxTokenAge: 60_000 })
// @ts-expect-error
accept({ issuer, audience, claims: { token_use: null } })
// @ts-expect-error
accept({ issuer, audience, claims: ['token_use'] })
// @ts-expect-error
accept({ issuer, audience, requiredClaims: 'sub' })
// @ts-expect-error
accept({ issuer, audience, profile: 'rfc7519' })
// @ts-expect-error
accept({ issuer, audience, clockTolerance: '5s' })
expectTypeOf<ClaimValue>().toEqualTypeOf<string | number | boolean>()

// Several issuers exclude an issuer at the top level.
const issuers: readonly IssuerOptions[] = [
  { issuer, audience, jwksUri },
  { domain, audience: false, claims: { token_use: 'access' } },
  { issuer: 'shared', audience, secret, algorithms: ['HS256'] },
]
accept({ issuers }, { issuers: [{ domain, audience }], realm: 'ping' })
// @ts-expect-error
accept({ issuers, issuer })
// @ts-expect-error
accept({ issuers, issuer, audience })
// @ts-expect-error
accept({ issuers, audience })
type Beside<Name extends keyof IssuerOptions> = { issuers: IssuerOptions[] } & Required<
  Pick<IssuerOptions, Name>
>
expectTypeOf<{ issuers: IssuerOptions[] }>().toExtend<JwksAuthOptions>()
expectTypeOf<{ issuers: IssuerOptions[]; issuer: string }>().not.toExtend<JwksAuthOptions>()
expectTypeOf<{ issuers: IssuerOptions[]; domain: string }>().not.toExtend<JwksAuthOptions>()
expectTypeOf<{ issuers: IssuerOptions[]; jwksUri: string }>().not.toExtend<JwksAuthOptions>()
expectTypeOf<{ issuers: IssuerOptions[]; secret: string }>().not.toExtend<JwksAuthOptions>()
expectTypeOf<Beside<'audience'>>().not.toExtend<JwksAuthOptions>()
expectTypeOf<Beside<'algorithms'>>().not.toExtend<JwksAuthOptions>()
expectTypeOf<Beside<'claims'>>().not.toExtend<JwksAuthOptions>()
expectTypeOf<Beside<'clockTolerance'>>().not.toExtend<JwksAuthOptions>()
expectTypeOf<Beside<'maxTokenAge'>>().not.toExtend<JwksAuthOptions>()
expectTypeOf<Beside<'requiredClaims'>>().not.toExtend<JwksAuthOptions>()
expectTypeOf<Beside<'profile'>>().not.toExtend<JwksAuthOptions>()
// @ts-expect-error - an audience is required of each
accept({ issuers: [{ issuer }] })
// @ts-expect-error - one of the two
accept({ issuers: [{ issuer, domain, audience }] })
// @ts-expect-error - an option of the plugin
accept({ issuers: [{ issuer, audience, realm: 'ping' }] })
// @ts-expect-error
accept({ issuers: { issuer, audience } })

// A synchronous or asynchronous function.
accept({ issuers: (iss) => (iss === issuer ? { issuer, audience } : undefined) })
accept({ issuers: async (iss) => issuers.find((entry) => entry.issuer === iss), realm: 'ping' })
accept({ issuers: () => ({ domain, audience }), jwks: { cooldown: 0 } })
accept({
  issuers(iss) {
    expectTypeOf(iss).toEqualTypeOf<string>()
    return undefined
  },
})
expectTypeOf<ResolveIssuer>().parameters.toEqualTypeOf<[iss: string]>()
expectTypeOf<ResolveIssuer>().returns.toEqualTypeOf<
  IssuerOptions | undefined | Promise<IssuerOptions | undefined>
>()
expectTypeOf<{ issuers: ResolveIssuer; audience: string }>().not.toExtend<JwksAuthOptions>()
// @ts-expect-error - an audience is required
accept({ issuers: (iss) => ({ issuer: iss }) })
// @ts-expect-error
accept({ issuers: (iss) => iss })
// @ts-expect-error
accept({ issuers: async () => true })
// @ts-expect-error - the argument is a string
accept({ issuers: (iss: number) => (iss === 1 ? { issuer, audience } : undefined) })
// @ts-expect-error - none at the top level
accept({ issuers: () => undefined, issuer, audience })
// @ts-expect-error - none at the top level
accept({ issuers: () => undefined, audience })

// Where the keys are.
accept({ issuer, audience, jwksUri: [issuer, issuer] })
accept({ issuer, audience, metadataUrl: issuer })
accept({ issuers: [{ issuer, audience, allowInsecureIssuers: true }], allowInsecureIssuers: true })
// @ts-expect-error - keys are discovered or at a URL
accept({ issuer, audience, metadataUrl: issuer, jwksUri: issuer })
// @ts-expect-error - a domain has no discovery
accept({ domain: 'tenant.example', audience, metadataUrl: issuer })
// @ts-expect-error - none at the top level
accept({ issuers: () => undefined, metadataUrl: issuer })

// Options of the plugin.
const jwks: JwksOptions = {
  refreshInterval: 1,
  maxStale: 1,
  cooldown: 1,
  timeout: 1,
  maxResponseSize: 1,
  prefetch: true,
}
accept({ issuer, audience, jwks, realm: 'ping', allowInsecureIssuers: true })
const storeSecret = secret
accept({ issuer, audience, jwks: { store: new Map<string, string>(), storeSecret } })
accept({ issuer, audience, jwks: { store: { get: async () => null, set: async () => {} }, storeSecret } })
accept({ issuer, audience, jwks: { store: redisStore({ sendCommand: async () => null }), storeSecret } })
accept({ issuer, audience, jwks: { store: fileStore('/var/cache/api'), storeSecret: new Uint8Array(32) } })
// @ts-expect-error - a store returns text
accept({ issuer, audience, jwks: { store: new Map<string, number>(), storeSecret } })
// @ts-expect-error - a store has both functions
accept({ issuer, audience, jwks: { store: { get: () => null }, storeSecret } })
// @ts-expect-error - no such option
accept({ issuer, audience, audiences: [audience] })
// @ts-expect-error - no such option
accept({ issuer, audience, jwks: { timeOut: 1 } })
// @ts-expect-error
accept({ issuer, audience, jwks: { timeout: '5s' } })
// @ts-expect-error
accept({ issuer, audience, jwks: { dispatcher: 'http://proxy' } })
// @ts-expect-error
accept({ issuer, audience, allowInsecureIssuers: 'true' })
// @ts-expect-error - may be undefined
accept({ issuer, audience, realm: process.env.REALM })

// The arguments of callbacks are typed.
accept({
  issuer,
  audience,
  getToken(request) {
    expectTypeOf(request).toEqualTypeOf<FastifyRequest>()
    return request.headers['x-token']?.toString()
  },
  formatUser(claims, request) {
    expectTypeOf(claims).toExtend<AccessTokenClaims>()
    expectTypeOf(claims.sub).toEqualTypeOf<string | undefined>()
    expectTypeOf(claims.exp).toEqualTypeOf<number>()
    expectTypeOf(claims.anything).toEqualTypeOf<unknown>()
    expectTypeOf(request).toEqualTypeOf<FastifyRequest>()
    return claims
  },
  isRevoked(claims, request) {
    expectTypeOf(claims).toExtend<AccessTokenClaims>()
    expectTypeOf(request).toEqualTypeOf<FastifyRequest>()
    return claims.jti === undefined
  },
})
accept({ issuer, audience, formatUser: async (claims) => claims, isRevoked: async () => false })
accept({ issuer, audience, getToken: async () => 'a token' })
// @ts-expect-error
accept({ issuer, audience, getToken: () => 5 })
// @ts-expect-error - no user
accept({ issuer, audience, formatUser: () => undefined })
// @ts-expect-error
accept({ issuer, audience, isRevoked: () => 'no' })
// @ts-expect-error - may be undefined
accept({ issuer, audience, isRevoked: undefined })

const url = 'https://api.example/mcp'
accept({ issuer, audience, resource: url })
accept({ issuer, audience, resource: url, serveMetadata: false })
accept({
  issuer,
  audience,
  resource: { resource: url, scopes_supported: ['a'], 'resource_name#fr': 'Carnet', own: { a: 1 } },
})
// @ts-expect-error the identifier is required
accept({ issuer, audience, resource: { resource_name: 'Notes' } })
// @ts-expect-error a list of scopes
accept({ issuer, audience, resource: { resource: url, scopes_supported: 'a b' } })
