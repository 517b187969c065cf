import { suite, test, type TestContext } from 'node:test'
import { RecentNumbers } from '../../lib/recent-numbers.ts'

const numbers = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => Math.imul(from + index, 2_654_435_769) & 0x7fffffff)

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
      t.assert.ok(left <= count / 50, `${left} of ${count} are there still`)
    })
  }

  test('few others are taken for one of them', (t: TestContext) => {
    const recent = new RecentNumbers(10_000)
    for (const number of numbers(1, 20_000)) recent.add(number)
    const mistaken = numbers(1_000_000, 10_000).filter((number) => recent.has(number)).length
    t.assert.ok(mistaken < 100, `${mistaken} of 10,000`)
  })
})
