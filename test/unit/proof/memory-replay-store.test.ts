import { suite, test, type TestContext } from 'node:test'
import { full, MemoryReplayStore } from '../../../lib/proof/memory-replay-store.ts'

const lifetime = 60_000
const start = 1_700_000_000_000

/** The id of a proof as the plugin makes it: the thumbprint of the key, and the hash of the jti. */
const idOf = (key: string, jti: number): string => `${key.padEnd(43, '.')}.${String(jti).padEnd(43, '.')}`

function createStore(t: TestContext, max = 8): MemoryReplayStore {
  t.mock.timers.enable({ apis: ['Date'], now: start })
  return new MemoryReplayStore(max, lifetime)
}

/** Adds proofs of a key and returns the results. */
const addMany = (store: MemoryReplayStore, key: string, count: number, ttl = lifetime): unknown[] =>
  Array.from({ length: count }, (_, jti) => store.add(idOf(key, jti), ttl))

suite('the replay store in memory', () => {
  test('an id is stored once until its time is over', (t) => {
    const store = createStore(t)
    t.assert.equal(store.add(idOf('a', 1), lifetime), true)
    t.assert.equal(store.add(idOf('a', 1), lifetime), false)
    t.assert.equal(store.add(idOf('a', 2), lifetime), true)
    t.assert.equal(store.add(idOf('b', 1), lifetime), true)
    t.mock.timers.tick(lifetime - 1)
    t.assert.equal(store.add(idOf('a', 1), 5), false)
    t.mock.timers.tick(1)
    t.assert.equal(store.add(idOf('a', 1), lifetime), true)
    t.assert.equal(store.add(idOf('a', 1), lifetime), false)
  })

  test('an id is found whatever times the proofs were made at', (t) => {
    const store = createStore(t, 1_000)
    for (let ttl = 1; ttl <= lifetime + 10_000; ttl += 1_003)
      t.assert.equal(store.add(idOf('a', ttl), ttl), true)
    for (let ttl = 1; ttl <= lifetime + 10_000; ttl += 1_003)
      t.assert.equal(store.add(idOf('a', ttl), 1), false)
  })

  test('one key can take a quarter, and others can take the rest', (t) => {
    const store = createStore(t)
    t.assert.deepEqual(addMany(store, 'a', 3), [true, true, full])
    t.assert.deepEqual(addMany(store, 'b', 3), [true, true, full])
  })

  test('a full store forgets no proof that is still valid', (t) => {
    const store = createStore(t)
    for (const key of ['a', 'b', 'c', 'd']) addMany(store, key, 2)
    t.assert.equal(store.add(idOf('e', 1), lifetime), full)
    t.mock.timers.tick(lifetime - 1)
    t.assert.equal(store.add(idOf('e', 1), lifetime), full)
    for (const key of ['a', 'b', 'c', 'd']) t.assert.deepEqual(addMany(store, key, 2), [false, false])
    t.mock.timers.tick(1)
    t.assert.equal(store.add(idOf('e', 1), lifetime), true)
  })

  test('a proof makes room as soon as it expires, next to others that are valid for longer', (t) => {
    const store = createStore(t)
    t.assert.deepEqual(addMany(store, 'a', 1, 100), [true])
    t.assert.equal(store.add(idOf('a', 5), 200), true)
    for (const key of ['b', 'c', 'd']) addMany(store, key, 2, 200)
    t.assert.equal(store.add(idOf('a', 6), lifetime), full)
    t.mock.timers.tick(100)
    t.assert.equal(store.add(idOf('a', 6), lifetime), true)
    t.assert.equal(store.add(idOf('a', 7), lifetime), full)
    t.assert.equal(store.add(idOf('e', 7), lifetime), full)
  })

  test('a key that has taken its share makes room among its own expired proofs', (t) => {
    const store = createStore(t, 8_000)
    for (const key of ['a', 'b', 'c', 'd']) addMany(store, key, 2_000, 100)
    // A proof that is valid for longer keeps the bucket.
    t.mock.timers.tick(99)
    t.assert.equal(store.add(idOf('d', 9_999), 5), full)
    t.mock.timers.tick(1)
    t.assert.equal(store.add(idOf('d', 9_999), 5), true)
  })

  test('one call deletes a thousand expired proofs at most', (t: TestContext) => {
    const store = createStore(t, 8_000)
    for (const key of ['a', 'b', 'c', 'd']) addMany(store, key, 2_000, 100)
    t.mock.timers.tick(100)
    const deletions = t.mock.method(Map.prototype, 'delete')
    t.assert.equal(store.add(idOf('e', 1), 5), true)
    t.assert.ok(deletions.mock.callCount() <= 1_000, `${deletions.mock.callCount()} deletions`)
  })

  test('a store for very few proofs holds one of a key', (t) => {
    t.assert.deepEqual(addMany(createStore(t, 1), 'a', 2), [true, full])
  })
})
