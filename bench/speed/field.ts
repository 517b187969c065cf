import type { Algorithm } from '../issuer.ts'

/** A contestant of the speed benchmark. */
export interface Entry {
  readonly name: string
  /** The contestant without authentication that it is compared with on a server. */
  readonly bare: string
  /** Algorithms that it doesn't verify as it is wired. */
  readonly without?: readonly Algorithm[]
}

export const fastify = 'bare'
export const express = 'bare, Express'
export const ours = 'fastify-jwks-auth'
export const fastJwt = 'fast-jwt, one key'

const otherBuild: readonly Entry[] = [
  { name: `${ours}, other build`, bare: fastify },
  { name: `${ours}, other build, no cache`, bare: fastify },
]

/** As each README recommends; "cached" is the same with fast-jwt's cache of verified tokens, which is off by default. */
export const field: readonly Entry[] = [
  { name: fastJwt, bare: fastify },
  { name: ours, bare: fastify },
  { name: `${ours}, no cache`, bare: fastify },
  ...(process.env.BENCH_OTHER_BUILD ? otherBuild : []),
  { name: 'aws-jwt-verify', bare: fastify },
  { name: 'jose', bare: fastify },
  { name: 'fastify-jwt-jwks', bare: fastify, without: ['ES256'] },
  { name: 'fastify-jwt-jwks, cached', bare: fastify, without: ['ES256'] },
  { name: 'get-jwks', bare: fastify, without: ['EdDSA'] },
  { name: 'get-jwks, cached', bare: fastify, without: ['EdDSA'] },
  { name: 'express-oauth2-jwt-bearer', bare: express },
  { name: 'jwks-rsa', bare: express, without: ['EdDSA'] },
]

/** The contestants that verify this algorithm. */
export function fieldFor(algorithm: Algorithm): Entry[] {
  return field.filter(({ without = [] }) => !without.includes(algorithm))
}
