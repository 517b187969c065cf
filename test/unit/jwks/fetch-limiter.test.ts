import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { FetchLimiter } from '../../../lib/jwks/fetch-limiter.ts'

const cooldown = 10_000

/** Adds a fetch if the limiter allows it. Returns whether it was allowed. */
function tryFetch(limiter: FetchLimiter, kid: string, now: number): boolean {
  const allowed = limiter.allows(kid, now)
  if (allowed) limiter.add(kid, now)
  return allowed
}

suite('FetchLimiter', () => {
  test('two kids are allowed a fetch in one cooldown, and a third is not', () => {
    const limiter = new FetchLimiter(cooldown, 2)
    assert.deepEqual(
      ['a', 'b', 'c'].map((kid) => tryFetch(limiter, kid, 0)),
      [true, true, false],
    )
  })

  test('a repeated kid is allowed one of the two fetches', () => {
    const limiter = new FetchLimiter(cooldown, 2)
    assert.deepEqual(
      ['a', 'a', 'a', 'b', 'a', 'b'].map((kid) => tryFetch(limiter, kid, 0)),
      [true, false, false, true, false, false],
    )
  })

  test('a check without a fetch does not count', () => {
    const limiter = new FetchLimiter(cooldown, 2)
    for (const kid of ['a', 'b', 'c', 'd']) assert.equal(limiter.allows(kid, 0), true)
  })

  test('each fetch stops counting one cooldown after it started', () => {
    const limiter = new FetchLimiter(cooldown, 2)
    assert.equal(tryFetch(limiter, 'a', 0), true)
    assert.equal(tryFetch(limiter, 'b', 4_000), true)
    assert.equal(tryFetch(limiter, 'c', 9_999), false)
    assert.equal(tryFetch(limiter, 'c', 10_000), true)
    assert.equal(tryFetch(limiter, 'd', 10_000), false)
    assert.equal(tryFetch(limiter, 'd', 14_000), true)
  })

  test('a repeated kid is allowed another fetch after one cooldown', () => {
    const limiter = new FetchLimiter(cooldown, 2)
    assert.equal(tryFetch(limiter, 'a', 0), true)
    assert.equal(tryFetch(limiter, 'a', 9_999), false)
    assert.equal(tryFetch(limiter, 'a', 10_000), true)
  })

  test('a cooldown of 0 allows every fetch', () => {
    const limiter = new FetchLimiter(0, 2)
    for (const kid of ['a', 'a', 'b', 'c', 'd', 'a']) assert.equal(tryFetch(limiter, kid, 0), true)
  })
})
