/** A contestant of the speed benchmark, and what its routes cost without it. */
export interface Entry {
  readonly name: string
  readonly bare: string
}

export const fastify = 'bare'
export const express = 'bare, Express'
/** The signature alone, in a hook. */
export const signatureAlone = 'crypto.verify'
/** The same by fast-jwt, which this plugin verifies with. */
export const fastJwtAlone = 'fast-jwt, one key'
export const ours = 'fastify-jwks-auth'
export const oursUncached = 'fastify-jwks-auth, no cache'

/** Rivals as their README has them, and again at their best setting where that is another one. */
export const field: readonly Entry[] = [
  { name: signatureAlone, bare: fastify },
  { name: fastJwtAlone, bare: fastify },
  { name: ours, bare: fastify },
  { name: oursUncached, bare: fastify },
  { name: 'get-jwks', bare: fastify },
  { name: 'get-jwks, cached', bare: fastify },
  { name: 'fastify-jwt-jwks', bare: fastify },
  { name: 'fastify-jwt-jwks, cached', bare: fastify },
  { name: 'jose', bare: fastify },
  { name: 'aws-jwt-verify', bare: fastify },
  { name: 'jwks-rsa', bare: express },
  { name: 'express-oauth2-jwt-bearer', bare: express },
]
