import { suite, test, type TestContext } from 'node:test'
import { RecentNumbers } from '../lib/recent-numbers.ts'

const numbers = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => (from + index) * 2_654_435_761)

suite('recent numbers', () => {
  test('are not there before they are added', (t) => {
    const recent = new RecentNumbers(2)
    t.assert.equal(recent.has(7), false)
    recent.add(7)
    t.assert.equal(recent.has(7), true)
    t.assert.equal(recent.has(8), false)
  })

  for (const count of [1, 100, 10_000]) {
    test(`the last ${count} are there, and those before the last ${2 * count} are not`, (t: TestContext) => {
      const recent = new RecentNumbers(count)
      for (const number of numbers(1, 3 * count)) recent.add(number)
      t.assert.ok(numbers(1 + 2 * count, count).every((number) => recent.has(number)))
      const left = numbers(1, count).filter((number) => recent.has(number)).length
      t.assert.ok(left <= count / 10, `${left} of ${count} are there still`)
    })
  }

  test('few others are taken for one of them', (t: TestContext) => {
    const recent = new RecentNumbers(10_000)
    for (const number of numbers(1, 20_000)) recent.add(number)
    const mistaken = numbers(1_000_000, 10_000).filter((number) => recent.has(number)).length
    t.assert.ok(mistaken < 1_000, `${mistaken} of 10,000`)
  })

  test('numbers from what strangers send, whatever they are, are numbers', (t) => {
    const recent = new RecentNumbers(10)
    for (const number of [Number.NaN, 2 ** 80, 0.5]) t.assert.equal(typeof recent.has(number), 'boolean')
  })
})
