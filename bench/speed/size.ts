import type { Algorithm } from '../issuer.ts'

/** How much is measured. */
export interface Size {
  readonly algorithms: readonly Algorithm[]
  /** How often all contestants are started in new processes: no two processes of one program are equally fast. */
  readonly starts: number
  /** Tokens of a slice in `pair`. */
  readonly slice: number
  /** Rounds of `pair` in each process, after rounds that aren't counted. */
  readonly warmUpRounds: number
  readonly rounds: number
  /** Rounds of `cannon` after each start, and the seconds of one measurement. autocannon counts whole seconds. */
  readonly cannonRounds: number
  readonly cannonSeconds: number
  /** Rounds of `refuse`, and the requests of one measurement. */
  readonly refuseRounds: number
  readonly refusedRequests: number
  /** Requests of `endure`, and its different tokens. */
  readonly longRun: number
  readonly liveTokens: number
  /** How often `start` imports a module. */
  readonly imports: number
}

export const full: Size = {
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  starts: 3,
  slice: 100,
  warmUpRounds: 30,
  rounds: 50,
  cannonRounds: 3,
  cannonSeconds: 1,
  refuseRounds: 5,
  refusedRequests: 4_000,
  longRun: 1_000_000,
  liveTokens: 50_000,
  imports: 15,
}

/** Enough to see that everything works. Its figures mean nothing. */
export const quick: Size = {
  algorithms: ['RS256'],
  starts: 1,
  slice: 100,
  warmUpRounds: 5,
  rounds: 5,
  cannonRounds: 1,
  cannonSeconds: 1,
  refuseRounds: 1,
  refusedRequests: 400,
  longRun: 20_000,
  liveTokens: 2_000,
  imports: 3,
}
