import { Bench } from 'tinybench'
import { percentile } from './statistics.ts'

/** A function that is measured, and what it is called with. */
export interface Step {
  readonly name: string
  /** Makes the inputs of one batch of calls; not part of what is measured. */
  readonly prepare: () => readonly unknown[]
  readonly call: (input: never) => unknown
}

/** Nanoseconds and bytes of one call. */
export interface StepResult {
  readonly name: string
  readonly median: number
  readonly p99: number
  readonly bytes: number
}

/** Batches that are counted together: single ones are lost in what the heap counts roughly. */
const batches = 20
const samples = 9

export async function measure({ name, prepare, call }: Step, milliseconds: number): Promise<StepResult> {
  const size = prepare().length
  const results: unknown[] = Array.from({ length: size })
  const isAsync = call(prepare()[0] as never) instanceof Promise
  const callAll = (inputs: readonly unknown[]): void => {
    for (let index = 0; index < size; index += 1) results[index] = call(inputs[index] as never)
  }
  const awaitAll = async (inputs: readonly unknown[]): Promise<void> => {
    for (let index = 0; index < size; index += 1) results[index] = await call(inputs[index] as never)
  }
  const run = isAsync ? awaitAll : callAll

  let inputs: readonly unknown[] = []
  const bench = new Bench({ time: milliseconds, warmupTime: milliseconds })
  bench.add(name, () => run(inputs), {
    async: isAsync,
    beforeEach() {
      inputs = prepare()
    },
  })
  const [task] = await bench.run()
  if (task?.result.state !== 'completed') throw new Error(`${name}: ${task?.result.state}`)
  const { p50, p99 } = task.result.latency
  const bytes = await allocated(prepare, run)
  return { name, median: (p50 * 1e6) / size, p99: (p99 * 1e6) / size, bytes: bytes / size }
}

/** Bytes that one batch takes from the heap, collected or not: nothing is collected meanwhile. */
async function allocated(
  prepare: Step['prepare'],
  run: (inputs: readonly unknown[]) => void | Promise<void>,
): Promise<number> {
  const taken: number[] = []
  for (let sample = 0; sample < samples; sample += 1) {
    const prepared = Array.from({ length: batches }, prepare)
    globalThis.gc!()
    const before = process.memoryUsage().heapUsed
    for (const inputs of prepared) await run(inputs)
    taken.push((process.memoryUsage().heapUsed - before) / batches)
  }
  return percentile(
    taken.toSorted((a, b) => a - b),
    50,
  )
}
