import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { UnknownKidLimiter } from '../../../lib/jwks/unknown-kid-limiter.ts'

const cooldown = 10_000

/** Spends where it is allowed, and tells whether it was. */
function ask(budget: UnknownKidLimiter, kid: string, now: number): boolean {
  const allowed = budget.allows(kid, now)
  if (allowed) budget.add(kid, now)
  return allowed
}

suite('budget of fetches', () => {
  test('two kids are looked for in one cooldown, a third is not', () => {
    const budget = new UnknownKidLimiter(cooldown)
    assert.deepEqual(
      ['a', 'b', 'c'].map((kid) => ask(budget, kid, 0)),
      [true, true, false],
    )
  })

  test('one kid spends one fetch of the two', () => {
    const budget = new UnknownKidLimiter(cooldown)
    assert.deepEqual(
      ['a', 'a', 'a', 'b', 'a', 'b'].map((kid) => ask(budget, kid, 0)),
      [true, false, false, true, false, false],
    )
  })

  test('asking alone spends nothing', () => {
    const budget = new UnknownKidLimiter(cooldown)
    for (const kid of ['a', 'b', 'c', 'd']) assert.equal(budget.allows(kid, 0), true)
  })

  test('each fetch is given back one cooldown after it was spent', () => {
    const budget = new UnknownKidLimiter(cooldown)
    assert.equal(ask(budget, 'a', 0), true)
    assert.equal(ask(budget, 'b', 4_000), true)
    assert.equal(ask(budget, 'c', 9_999), false)
    assert.equal(ask(budget, 'c', 10_000), true)
    assert.equal(ask(budget, 'd', 10_000), false)
    assert.equal(ask(budget, 'd', 14_000), true)
  })

  test('a kid may be looked for again after one cooldown', () => {
    const budget = new UnknownKidLimiter(cooldown)
    assert.equal(ask(budget, 'a', 0), true)
    assert.equal(ask(budget, 'a', 9_999), false)
    assert.equal(ask(budget, 'a', 10_000), true)
  })

  test('a cooldown of 0 is no bound', () => {
    const budget = new UnknownKidLimiter(0)
    for (const kid of ['a', 'a', 'b', 'c', 'd', 'a']) assert.equal(ask(budget, kid, 0), true)
  })
})
