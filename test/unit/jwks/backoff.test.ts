import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Backoff } from '../../../lib/jwks/backoff.ts'

const refreshInterval = 300_000

/** How long after each of the failures in a row a retry is held back. */
function delays(failures: number, interval = refreshInterval): number[] {
  const outage = new Backoff(interval)
  return Array.from({ length: failures }, () => {
    outage.failed(0, 'HTTP 502')
    let delay = 0
    while (!outage.mayRetry(delay)) delay += 1
    return delay
  })
}

suite('outage', () => {
  test('before any failure there is none', () => {
    const outage = new Backoff(refreshInterval)
    assert.equal(outage.active, false)
    assert.equal(outage.mayRetry(0), true)
    assert.equal(outage.lastFailureAt, -Infinity)
  })

  test('a failure begins one, and the last one is kept with its reason', () => {
    const outage = new Backoff(refreshInterval)
    outage.failed(1_000, 'ECONNREFUSED')
    outage.failed(2_000, 'HTTP 502')
    assert.equal(outage.active, true)
    assert.deepEqual([outage.lastFailureAt, outage.reason], [2_000, 'HTTP 502'])
  })

  test('an end leaves nothing of it', () => {
    const outage = new Backoff(refreshInterval)
    for (let failures = 0; failures < 10; failures += 1) outage.failed(1_000, 'HTTP 502')
    assert.equal(outage.mayRetry(1_001), false)
    outage.reset()
    assert.equal(outage.active, false)
    assert.equal(outage.mayRetry(1_001), true)
    assert.equal(outage.lastFailureAt, -Infinity)
    outage.failed(1_001, 'HTTP 502')
    assert.equal(outage.mayRetry(1_001), true)
  })

  test('the first retry is free, then the delay doubles up to ten seconds', (t) => {
    t.mock.method(Math, 'random', () => 0)
    assert.deepEqual(delays(10), [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
  })

  test('jitter takes up to half of a delay', (t) => {
    t.mock.method(Math, 'random', () => 0.999_999)
    assert.deepEqual(delays(8), [0, 126, 251, 501, 1_001, 2_001, 4_001, 5_001])
  })

  test('retries are at most half a refresh interval apart', (t) => {
    t.mock.method(Math, 'random', () => 0)
    assert.deepEqual(delays(7, 3_000), [0, 250, 500, 1_000, 1_500, 1_500, 1_500])
  })

  test('an outage without end leaves the delay as it is', (t) => {
    t.mock.method(Math, 'random', () => 0)
    const outage = new Backoff(refreshInterval)
    for (let failures = 0; failures < 3_000; failures += 1) outage.failed(0, 'HTTP 502')
    assert.deepEqual([outage.mayRetry(9_999), outage.mayRetry(10_000)], [false, true])
  })

  test('Retry-After is the time to the next retry in whole seconds, and at least 1', (t) => {
    t.mock.method(Math, 'random', () => 0)
    const outage = new Backoff(refreshInterval)
    assert.equal(outage.retryAfter(0), 1)
    const seconds = Array.from({ length: 8 }, () => {
      outage.failed(5_000, 'HTTP 502')
      return outage.retryAfter(5_000)
    })
    assert.deepEqual(seconds, [1, 1, 1, 1, 2, 4, 8, 10])
    assert.deepEqual(
      [outage.retryAfter(13_999), outage.retryAfter(14_001), outage.retryAfter(99_000)],
      [2, 1, 1],
    )
  })
})
