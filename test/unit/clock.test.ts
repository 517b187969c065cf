import { suite, test, type TestContext } from 'node:test'
import { elapsedTime } from '../../lib/clock.ts'

let ahead = 0

/** Replaces both clocks by ones that the test sets. A jump of a second makes the elapsed time know their exact difference. */
function mockClocks(t: TestContext): { monotonic: number; wall: number } {
  const clocks = { monotonic: Math.ceil(performance.now()), wall: Date.now() + (ahead += 1_000) }
  t.mock.method(performance, 'now', () => clocks.monotonic)
  t.mock.method(Date, 'now', () => clocks.wall)
  elapsedTime()
  return clocks
}

suite('the elapsed time', () => {
  test('the elapsed time counts as the monotonic clock does, if both clocks agree', (t) => {
    const clocks = mockClocks(t)
    const before = elapsedTime()
    for (let step = 0; step < 1_000; step += 1) {
      clocks.monotonic += 0.25
      clocks.wall = Math.round(clocks.wall + (step % 4 === 0 ? 1 : 0))
      elapsedTime()
    }
    t.assert.equal(elapsedTime() - before, 250)
  })

  test('the elapsed time counts the time that only the wall clock counts, as in sleep', (t) => {
    const clocks = mockClocks(t)
    const before = elapsedTime()
    clocks.wall += 36_000_000
    clocks.monotonic += 5
    t.assert.equal(elapsedTime() - before, 36_000_000)
    clocks.wall += 1_000
    clocks.monotonic += 1_000
    t.assert.equal(elapsedTime() - before, 36_001_000)
  })

  test('the elapsed time counts on while the wall clock is set back', (t) => {
    const clocks = mockClocks(t)
    const before = elapsedTime()
    clocks.wall -= 36_000_000
    t.assert.equal(elapsedTime() - before, 0)
    clocks.monotonic += 5
    clocks.wall += 5
    t.assert.equal(elapsedTime() - before, 5)
  })

  test('the elapsed time counts sleep after the wall clock was set back', (t) => {
    const clocks = mockClocks(t)
    clocks.wall -= 36_000_000
    const before = elapsedTime()
    clocks.wall += 3_600_000
    t.assert.equal(elapsedTime() - before, 3_600_000)
  })

  test('a reading of the wall clock may be given', (t) => {
    const clocks = mockClocks(t)
    const before = elapsedTime(clocks.wall)
    t.assert.equal(elapsedTime(clocks.wall + 1_000) - before, 1_000)
  })
})
