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

/** The times of `crypto.verify`, and then those of the contestants. */
async function measure({ issuer, algorithm, jwk, names, seen, fresh, warmUp }: Task): Promise<Times[]> {
  const slices: Slice[] = [bareVerification(algorithm, jwk)]
  for (const name of names) slices.push(await hookOf(name, issuer, seen))
  const lengths = slices.map(() => seen.length)
  const times = slices.map((): Times => ({ new: [], seen: [] }))
  const turns = [...slices.keys()].flatMap((index) => [[index, 'new'] as const, [index, 'seen'] as const])
  for (let round = 0; round < fresh.length / seen.length; round += 1) {
    const tokens = { seen, new: fresh.slice(round * seen.length, (round + 1) * seen.length) }
    for (const [index, kind] of shuffled(turns)) {
      const length = lengths[index]!
      // Due timers and callbacks run here, and not within the slice.
      await setImmediate()
      const microseconds = (await slices[index]!(tokens[kind].slice(0, length))) / length
      if (round >= warmUp) times[index]![kind].push(microseconds)
      else if (kind === 'new') {
        lengths[index] = Math.min(Math.max(Math.floor(longest / microseconds), fewest), seen.length)
      }
    }
  }
  return times
}
