import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

// Loaded before a contestant, so that days pass for it in seconds. The header x-clock-advance of a request moves every clock that a library may
// read, before the request is handled, and calls the timers that are due then. Until the first such header the clocks are the real ones. Then the
// wall clock stands at the time BENCH_TIME, if it is set.

/** How far the clocks have been moved. From the first time on they stand still between two moves. */
let moved: { milliseconds: number } | undefined

const { now } = Date
const { hrtime } = process
const monotonic = performance.now.bind(performance)

/** A clock that is stopped by the first move. Then it shows the time at which it was stopped, and how far it was moved. */
function stoppable(tell: () => number): () => number {
  let stoppedAt: number | undefined
  return () => (moved ? (stoppedAt ??= tell()) + moved.milliseconds : tell())
}

const { BENCH_TIME: time } = process.env
Date.now = stoppable(() => (moved && time !== undefined ? Number(time) : now()))
performance.now = stoppable(monotonic)
globalThis.Date = new Proxy(Date, {
  construct: (target, args: [], newTarget: typeof Date) =>
    Reflect.construct(target, args.length === 0 ? [target.now()] : args, newTarget) as Date,
})
const milliseconds = stoppable(() => Number(hrtime.bigint() / 1_000_000n))
const bigint = (): bigint => BigInt(milliseconds()) * 1_000_000n
process.hrtime = Object.assign(
  ([seconds, rest]: [number, number] = [0, 0]): [number, number] => {
    const passed = bigint() - BigInt(seconds) * 1_000_000_000n - BigInt(rest)
    return [Number(passed / 1_000_000_000n), Number(passed % 1_000_000_000n)]
  },
  { bigint },
)

type Timer = ReturnType<typeof setTimeout>
type Callback = (...args: unknown[]) => void

const timers = new Map<Timer, { due: number; call: () => void }>()
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis

/** Timers of this length or more expire what a library keeps. Shorter ones belong to connections, which must stay open, and run in real time. */
const shortest = 5_000

const startTracked = (callback: Callback, delay = 0, ...args: unknown[]): Timer => {
  const call = (): void => {
    timers.delete(timer)
    callback(...args)
  }
  const timer = startTimer(call, delay)
  if (delay >= shortest) timers.set(timer, { due: performance.now() + delay, call })
  return timer
}
globalThis.setTimeout = Object.defineProperties(
  startTracked as typeof setTimeout,
  Object.getOwnPropertyDescriptors(startTimer),
)
globalThis.clearTimeout = (timer) => {
  timers.delete(timer as Timer)
  stopTimer(timer)
}

function advance(step: number): void {
  moved ??= { milliseconds: 0 }
  moved.milliseconds += step
  const due = [...timers].filter(([, timer]) => timer.due <= performance.now())
  for (const [timer, { call }] of due.toSorted(([, a], [, b]) => a.due - b.due)) {
    // An earlier timer may have stopped this one.
    if (!timers.has(timer)) continue
    stopTimer(timer)
    call()
  }
}

subscribe('http.server.request.start', (message) => {
  const { request } = message as { request: IncomingMessage }
  const { 'x-clock-advance': step } = request.headers
  if (step !== undefined) advance(Number(step))
})
