import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Backoff } from '../../../lib/jwks/backoff.ts'

const refreshInterval = 300_000

/** The delay of the retry after each of several failures in a row. */
function delays(failures: number, interval = refreshInterval): number[] {
  const backoff = new Backoff(interval)
  return Array.from({ length: failures }, () => {
    backoff.failed(0, 'HTTP 502')
    let delay = 0
    while (!backoff.mayRetry(delay)) delay += 1
    return delay
  })
}

suite('Backoff', () => {
  test('a backoff without a failure is not active and allows a retry', () => {
    const backoff = new Backoff(refreshInterval)
    assert.equal(backoff.active, false)
    assert.equal(backoff.mayRetry(0), true)
    assert.equal(backoff.lastFailureAt, -Infinity)
  })

  test('a failure activates the backoff, which keeps the last failure and its reason', () => {
    const backoff = new Backoff(refreshInterval)
    backoff.failed(1_000, 'ECONNREFUSED')
    backoff.failed(2_000, 'HTTP 502')
    assert.equal(backoff.active, true)
    assert.deepEqual([backoff.lastFailureAt, backoff.reason], [2_000, 'HTTP 502'])
  })

  test('a reset clears all failures', () => {
    const backoff = new Backoff(refreshInterval)
    for (let failures = 0; failures < 10; failures += 1) backoff.failed(1_000, 'HTTP 502')
    assert.equal(backoff.mayRetry(1_001), false)
    backoff.reset()
    assert.equal(backoff.active, false)
    assert.equal(backoff.mayRetry(1_001), true)
    assert.equal(backoff.lastFailureAt, -Infinity)
    backoff.failed(1_001, 'HTTP 502')
    assert.equal(backoff.mayRetry(1_001), true)
  })

  test('the first retry has no delay, and later delays double up to ten seconds', (t) => {
    t.mock.method(Math, 'random', () => 0)
    assert.deepEqual(delays(10), [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
  })

  test('jitter shortens a delay by up to half', (t) => {
    t.mock.method(Math, 'random', () => 0.999_999)
    assert.deepEqual(delays(8), [0, 126, 251, 501, 1_001, 2_001, 4_001, 5_001])
  })

  test('retries are at most half a refresh interval apart', (t) => {
    t.mock.method(Math, 'random', () => 0)
    assert.deepEqual(delays(7, 3_000), [0, 250, 500, 1_000, 1_500, 1_500, 1_500])
  })

  test('the delay stays at ten seconds after thousands of failures', (t) => {
    t.mock.method(Math, 'random', () => 0)
    const backoff = new Backoff(refreshInterval)
    for (let failures = 0; failures < 3_000; failures += 1) backoff.failed(0, 'HTTP 502')
    assert.deepEqual([backoff.mayRetry(9_999), backoff.mayRetry(10_000)], [false, true])
  })

  test('Retry-After is the time to the next retry in whole seconds, and at least 1', (t) => {
    t.mock.method(Math, 'random', () => 0)
    const backoff = new Backoff(refreshInterval)
    assert.equal(backoff.retryAfter(0), 1)
    const seconds = Array.from({ length: 8 }, () => {
      backoff.failed(5_000, 'HTTP 502')
      return backoff.retryAfter(5_000)
    })
    assert.deepEqual(seconds, [1, 1, 1, 1, 2, 4, 8, 10])
    assert.deepEqual(
      [backoff.retryAfter(13_999), backoff.retryAfter(14_001), backoff.retryAfter(99_000)],
      [2, 1, 1],
    )
  })
})
