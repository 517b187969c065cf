import type { Contestant } from '../contestant.ts'

/** By name. Only the chosen contestant is loaded. */
export const contestants: Readonly<Record<string, () => Promise<Contestant>>> = {
  bare: async () => (await import('./bare.ts')).bare,
  'bare, Express': async () => (await import('./bare.ts')).bareExpress,
  'fast-jwt, one key': async () => (await import('./fast-jwt.ts')).plain,
  'fastify-jwks-auth': async () => (await import('./fastify-jwks-auth.ts')).plain,
  'fastify-jwks-auth, no cache': async () => (await import('./fastify-jwks-auth.ts')).uncached,
  'fastify-jwks-auth, store': async () => (await import('./fastify-jwks-auth.ts')).stored,
  'fastify-jwks-auth, DPoP': async () => (await import('./fastify-jwks-auth.ts')).dpop,
  'fastify-jwks-auth, other build': async () => (await import('./fastify-jwks-auth.ts')).other,
  'fastify-jwks-auth, other build, no cache': async () =>
    (await import('./fastify-jwks-auth.ts')).otherUncached,
  'get-jwks': async () => (await import('./get-jwks.ts')).plain,
  'get-jwks, cached': async () => (await import('./get-jwks.ts')).cached,
  'fastify-jwt-jwks': async () => (await import('./fastify-jwt-jwks.ts')).plain,
  'fastify-jwt-jwks, cached': async () => (await import('./fastify-jwt-jwks.ts')).cached,
  jose: async () => (await import('./jose.ts')).plain,
  'jwks-rsa': async () => (await import('./jwks-rsa.ts')).plain,
  'jwks-rsa, no limit': async () => (await import('./jwks-rsa.ts')).unlimited,
  'express-oauth2-jwt-bearer': async () => (await import('./express-oauth2-jwt-bearer.ts')).plain,
  'aws-jwt-verify': async () => (await import('./aws-jwt-verify.ts')).plain,
}
