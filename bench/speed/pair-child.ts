import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import type { IssuerData } from '../contestant.ts'
import type { Algorithm } from '../issuer.ts'
import { bareVerification, hookOf, type Slice } from './entrants.ts'
import { shuffled } from './statistics.ts'

// The process in which all contestants take turns. It receives a task over IPC and sends what it measured.

export interface Task {
  readonly issuer: IssuerData
  readonly algorithm: Algorithm
  readonly jwk: object
  readonly names: readonly string[]
  /** The tokens of one slice, which come back in each round. */
  readonly seen: readonly string[]
  /** Tokens that come once: as many for each round. */
  readonly fresh: readonly string[]
  /** Rounds that aren't counted. They come before the others. */
  readonly warmUp: number
  /** DPoP proofs of one bound token, as many as there are fresh tokens. */
  readonly proofs: Proofs | undefined
}

export interface Proofs {
  readonly token: string
  /** The public key of the proofs. */
  readonly jwk: object
  readonly list: readonly string[]
}

/** Microseconds for one token, by rounds. */
export interface Times {
  readonly new: number[]
  readonly seen: number[]
}

/** A slice that would take more microseconds than this has fewer tokens, but at least two. */
const longest = 12_000
const fewest = 2

const [task] = (await once(process, 'message')) as [Task]
// Requests that are held would keep the process alive.
process.send!(await measure(task), () => process.exit())

/** The times of `crypto.verify`, then those of the contestants, and those of proofs: of `crypto.verify` and of the plugin. */
async function measure(task: Task): Promise<Times[]> {
  const { issuer, algorithm, jwk, names, seen, fresh, warmUp, proofs } = task
  const slices: Slice[] = [bareVerification(algorithm, jwk)]
  for (const name of names) slices.push(await hookOf(name, issuer, seen))
  const lengths = slices.map(() => seen.length)
  const turns = [...slices.keys()].flatMap((index) => [[index, 'new'] as const, [index, 'seen'] as const])
  if (proofs) {
    for (const slice of [
      bareVerification(algorithm, proofs.jwk),
      await hookOf('fastify-jwks-auth, DPoP', issuer, seen, proofs.token),
    ]) {
      turns.push([slices.push(slice) - 1, 'new'])
      lengths.push(seen.length)
    }
  }
  const times = slices.map((): Times => ({ new: [], seen: [] }))
  for (let round = 0; round < fresh.length / seen.length; round += 1) {
    const [start, end] = [round * seen.length, (round + 1) * seen.length]
    const tokens = { seen, new: fresh.slice(start, end) }
    const newProofs = proofs?.list.slice(start, end)
    for (const [index, kind] of shuffled(turns)) {
      const length = lengths[index]!
      const sent = index > names.length ? newProofs! : tokens[kind]
      // Due timers and callbacks run here, and not within the slice.
      await setImmediate()
      const microseconds = (await slices[index]!(sent.slice(0, length))) / length
      if (round >= warmUp) times[index]![kind].push(microseconds)
      else if (kind === 'new') {
        lengths[index] = Math.min(Math.max(Math.floor(longest / microseconds), fewest), seen.length)
      }
    }
  }
  return times
}
