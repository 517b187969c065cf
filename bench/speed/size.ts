import type { Algorithm } from '../issuer.ts'

/** How much is measured. */
export interface Size {
  readonly algorithms: readonly Algorithm[]
  readonly rounds: number
  /** How often all servers are started anew within these. */
  readonly starts: number
  /** How long one measurement takes, at most. */
  readonly milliseconds: number
  /** Tokens that are never seen before, for all rounds together. */
  readonly newTokens: number
  /** Requests that nobody counts, with new tokens and as many with seen ones: Node compiles what is used often. */
  readonly warmUp: number
  readonly warmUpMilliseconds: number
  /** Measurements by autocannon, which counts in whole seconds, of each contestant and in all starts. */
  readonly cannonRounds: number
  readonly cannonSeconds: number
  /** Turns of each route beside a bare one, in all starts, and how many requests one of these is. */
  readonly besideRounds: number
  readonly besideRequests: number
  /** Requests of one measurement with tokens seen before. */
  readonly seenRequests: number
  readonly refusedRequests: number
  /** Requests of the long run. */
  readonly longRun: number
  /** Regular users among forged tokens. */
  readonly regulars: number
  /** How often a module is imported. */
  readonly imports: number
  /** Milliseconds for which one step is called again and again. */
  readonly step: number
}

export const full: Size = {
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  rounds: 30,
  starts: 5,
  milliseconds: 100,
  newTokens: 50_000,
  warmUp: 10_000,
  warmUpMilliseconds: 1_500,
  cannonRounds: 20,
  cannonSeconds: 1,
  besideRounds: 1_500,
  besideRequests: 500,
  seenRequests: 10_000,
  refusedRequests: 2_000,
  longRun: 1_000_000,
  regulars: 1_000,
  imports: 15,
  step: 500,
}

/** Enough to see that everything works; its figures are worth nothing. */
export const quick: Size = {
  algorithms: ['RS256'],
  rounds: 2,
  starts: 2,
  milliseconds: 300,
  newTokens: 2_000,
  warmUp: 500,
  warmUpMilliseconds: 500,
  cannonRounds: 2,
  cannonSeconds: 1,
  besideRounds: 10,
  besideRequests: 200,
  seenRequests: 1_000,
  refusedRequests: 200,
  longRun: 20_000,
  regulars: 50,
  imports: 3,
  step: 50,
}
