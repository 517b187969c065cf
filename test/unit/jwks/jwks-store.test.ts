import { suite, test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { StoreCalls, type JwksStore } from '../../../lib/jwks/jwks-store.ts'
import { MemoryStore } from '../../helpers/fleet.ts'

function callsOf(store: JwksStore): { calls: StoreCalls; reports: string[] } {
  const reports: string[] = []
  const calls = new StoreCalls(store, {
    storeFailed: (reason) => reports.push(reason),
    storeWorks: () => reports.push('works'),
  })
  calls.start(500)
  return { calls, reports }
}

suite('calls of a store', () => {
  for (const answer of ['OK', 1, null, undefined, {}]) {
    test(`an add that returns ${JSON.stringify(answer)} says nothing about the key`, async (t: TestContext) => {
      const store = Object.assign(new MemoryStore(), { add: () => answer as boolean })
      t.assert.equal(await callsOf(store).calls.add('key', 1_000), undefined)
    })
  }

  test('a call that fails after it was given up is ignored, and ends the pause of the store', async (t: TestContext) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let fail = (_error: Error): void => {}
    const store = Object.assign(new MemoryStore(), {
      get: () => new Promise<string>((_resolve, reject) => (fail = reject)),
    })
    const { calls, reports } = callsOf(store)
    const given = calls.get('key')
    await setImmediate()
    t.mock.timers.tick(500)
    t.assert.equal(await given, undefined)
    calls.start(500)
    await calls.set('key', 'skipped', 1_000)
    fail(new Error('late'))
    await setImmediate()
    await calls.set('key', 'stored', 1_000)
    t.assert.equal(store.texts.get('key'), 'stored')
    t.assert.deepEqual([reports, store.ttls], [['timeout', 'works'], [1_000]])
  })
})
