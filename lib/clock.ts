/** A smaller difference is the inaccuracy of the clocks, in milliseconds. */
const tolerance = 100

/** How far the wall clock was ahead of the monotonic clock when they were compared last, in milliseconds. */
let lead: number = Date.now() - performance.now()
/** The time that only the wall clock has counted, in milliseconds. */
let slept = 0

/**
 * Milliseconds since the process started, counted by the faster of two clocks. The monotonic clock stops while a machine sleeps. The
 * wall clock counts that time, but it may be set back, which changes nothing here.
 *
 * @param wallTime - A reading of the wall clock, if the caller has one: reading it takes a twelfth of the time that a cached token takes.
 */
export function elapsedTime(wallTime: number = Date.now()): number {
  const monotonicTime = performance.now()
  const jump = wallTime - monotonicTime - lead
  if (jump > tolerance || jump < -tolerance) {
    lead += jump
    slept += Math.max(0, jump)
  }
  return monotonicTime + slept
}
