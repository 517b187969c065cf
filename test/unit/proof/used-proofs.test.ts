import { test, type TestContext } from 'node:test'
import { replayStoreUnavailable } from '../../../lib/errors.ts'
import { full } from '../../../lib/proof/memory-replay-store.ts'
import { UsedProofs } from '../../../lib/proof/used-proofs.ts'

const timeout = 1_000

/** What comes of an answer of a store, and what is logged. */
function create(add: (id: string, ttl: number) => unknown): { used: UsedProofs; logged: unknown[] } {
  const logged: unknown[] = []
  const warn = (details: { reason: string }): void => void logged.push(details.reason)
  return { used: new UsedProofs({ add }, timeout, { warn, info: warn, debug: warn } as never), logged }
}

test('the answer of a store is passed on, at once or as a promise', async (t) => {
  for (const answer of [true, false]) {
    t.assert.equal(create(() => answer).used.add('id', 1), answer)
    t.assert.equal(await create(async () => answer).used.add('id', 1), answer)
  }
})

test('the store gets the id and the time', (t) => {
  const calls: unknown[] = []
  void create((...parameters) => calls.push(parameters) > 0).used.add('id', 60_000)
  t.assert.deepEqual(calls, [['id', 60_000]])
})

const failing: [what: string, add: () => unknown, reason: string][] = [
  [
    'throws',
    () => {
      throw new Error('no connection')
    },
    'no connection',
  ],
  ['rejects', async () => Promise.reject(new Error('no connection')), 'no connection'],
  ['rejects with no error', async () => Promise.reject('x'), 'x'],
  ['returns undefined', () => undefined, 'it returned no boolean'],
  ['returns OK', () => 'OK', 'it returned no boolean'],
  ['returns 1', () => 1, 'it returned no boolean'],
  ['resolves to null', async () => null, 'it returned no boolean'],
  ['is full', () => full, 'dpop.maxProofs is reached'],
]
for (const [what, add, reason] of failing) {
  test(`a store that ${what} makes the answer 503, with a line in the log`, async (t) => {
    const { used, logged } = create(add)
    t.assert.equal(await used.add('id', 1), replayStoreUnavailable)
    t.assert.deepEqual(logged, [reason])
  })
}

test('a store that does not answer in time makes the answer 503, whatever it answers later', async (t: TestContext) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let resolve!: (isNew: boolean) => void
  const promise = new Promise<boolean>((settle) => (resolve = settle))
  const { used, logged } = create(() => promise)
  const result = used.add('id', 1)
  t.mock.timers.tick(timeout)
  t.assert.equal(await result, replayStoreUnavailable)
  resolve(true)
  t.assert.equal(await result, replayStoreUnavailable)
  t.assert.deepEqual(logged, ['it did not answer within jwks.timeout'])
})

test('a failing store is logged once in a minute', (t) => {
  const { used, logged } = create(() => undefined)
  const clock = t.mock.method(performance, 'now', () => 0)
  for (let count = 0; count < 5; count += 1) void used.add('id', 1)
  clock.mock.mockImplementation(() => 59_999)
  void used.add('id', 1)
  t.assert.equal(logged.length, 1)
  clock.mock.mockImplementation(() => 60_000)
  void used.add('id', 1)
  t.assert.equal(logged.length, 2)
})
