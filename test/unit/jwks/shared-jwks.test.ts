import { suite, test, type TestContext } from 'node:test'
import type { JwksStore } from '../../../lib/jwks/jwks-store.ts'
import { StoredEntry } from '../../../lib/jwks/stored-entry.ts'
import { AtomicStore, Fleet, MemoryStore, settle } from '../../helpers/fleet.ts'
import { curveKey, pemOf } from '../../helpers/jwk.ts'
import { ScriptedIssuer } from '../../helpers/scripted-issuer.ts'

const minute = 60_000
const [one, two] = [curveKey('Ed25519', { kid: 'one' }), curveKey('Ed25519', { kid: 'two' })]

/** A fleet whose first process has fetched the keys. */
async function known(size: number, options: object = {}, store = new MemoryStore()): Promise<Fleet> {
  const fleet = new Fleet([one], size, options, store)
  await fleet.processes[0]!.ask('one')
  await settle()
  fleet.newFetches()
  return fleet
}

suite('keys that processes share', () => {
  test('a process that starts uses stored keys that are younger than refreshInterval, without a fetch', async (t: TestContext) => {
    const fleet = await known(1)
    fleet.time += 5 * minute - 1
    const started = fleet.start()
    fleet.failure = 'down'
    t.assert.equal(await started.ask('one'), pemOf(one))
    t.assert.equal(fleet.newFetches(), 0)
    const { state, age, source } = started.remote.status()
    t.assert.deepEqual({ state, age, source }, { state: 'fresh', age: 5 * minute - 1, source: 'store' })
  })

  test('a process that starts asks the issuer if the stored keys are as old as refreshInterval', async (t: TestContext) => {
    const fleet = await known(1)
    fleet.time += 5 * minute
    fleet.keys = [two]
    t.assert.equal(await fleet.start().ask('one'), 'none')
    t.assert.equal(fleet.newFetches(), 1)
  })

  test('a process that starts while the issuer is down uses stored keys until maxStale after their fetch', async (t: TestContext) => {
    const fleet = await known(1)
    fleet.failure = 'down'
    fleet.time += 60 * minute - 1
    const started = fleet.start()
    t.assert.equal(await started.ask('one'), pemOf(one))
    t.assert.equal(await started.ask('forged'), 'jwks_unavailable')
    t.assert.equal(started.remote.status().state, 'stale')
    fleet.time += 1
    t.assert.equal(await started.ask('one'), 'jwks_unavailable')
    t.assert.equal(await fleet.start().ask('one'), 'jwks_unavailable')
  })

  test('prefetch succeeds with stored keys while the issuer is down, and fails without', async (t: TestContext) => {
    const fleet = await known(1)
    fleet.time += 30 * minute
    const started = fleet.start()
    started.failure = 'down'
    await started.remote.prefetch()
    const other = fleet.start({ store: new MemoryStore() })
    other.failure = 'down'
    await t.assert.rejects(other.remote.prefetch(), { message: /no keys of .*: down/ })
  })

  test('the age of keys counts from their fetch, so a removed key is refused by every process at the same time', async (t: TestContext) => {
    const fleet = await known(1)
    const late = fleet.start()
    fleet.time += 3 * minute
    t.assert.equal(await late.ask('one'), pemOf(one))
    fleet.keys = [two]
    fleet.time += 2 * minute - 1
    t.assert.equal(late.knows('one'), true)
    await settle()
    fleet.time += 1
    t.assert.deepEqual(await fleet.askAll('one'), ['none', 'none'])
  })

  test('a removed key is refused by the other processes as soon as they see the answer', async (t: TestContext) => {
    const fleet = await known(2)
    await fleet.askAll('one')
    fleet.keys = [two]
    t.assert.equal(await fleet.processes[0]!.ask('two'), pemOf(two))
    t.assert.equal(await fleet.processes[1]!.ask('two'), pemOf(two))
    t.assert.deepEqual(await fleet.askAll('one'), ['none', 'none'])
  })

  for (const [kind, Store] of [
    ['plain', MemoryStore],
    ['atomic', AtomicStore],
  ] as const) {
    test(`twenty processes that start at once fetch once, with a store that is ${kind}`, async (t: TestContext) => {
      const fleet = new Fleet([one], 20, {}, new Store())
      t.assert.deepEqual(new Set(await fleet.askAll('one')), new Set([pemOf(one)]))
      t.assert.equal(fleet.newFetches(), 1)
    })

    test(`twenty processes under traffic refresh the keys with one fetch, and no request waits, with a store that is ${kind}`, async (t: TestContext) => {
      const fleet = await known(20, {}, new Store())
      await fleet.askAll('one')
      for (let refresh = 1; refresh <= 3; refresh += 1) {
        for (let step = 0; step < 46; step += 1) {
          fleet.time += 5_000
          const known = fleet.processes.map((issuer) => issuer.knows('one'))
          t.assert.deepEqual(new Set(known), new Set([true]))
          await settle()
        }
        t.assert.equal(fleet.newFetches(), 1)
      }
    })

    test(`twenty processes under a flood of unknown kids fetch at most three times in an interval, with a store that is ${kind}`, async (t: TestContext) => {
      const interval = 10_000
      const fleet = await known(20, { refreshInterval: interval, cooldown: interval }, new Store())
      const fetches: number[] = []
      for (let step = 0; step < 400; step += 1) {
        await fleet.askAll('one')
        await Promise.all(fleet.processes.map((issuer) => issuer.ask(`unknown ${crypto.randomUUID()}`)))
        await settle()
        fetches.push(fleet.newFetches())
        fleet.time += 100
      }
      const inInterval = fetches.map((_, end) => fetches.slice(Math.max(0, end - 99), end + 1))
      const most = Math.max(...inInterval.map((counts) => counts.reduce((sum, count) => sum + count, 0)))
      t.assert.ok(most >= 2 && most <= 3, `${most} fetches`)
    })
  }

  test('a refresh is left to the process that has claimed it, until the claim is as old as half of timeout', async (t: TestContext) => {
    const fleet = await known(2)
    await fleet.askAll('one')
    fleet.time += 3.75 * minute
    for (const issuer of fleet.processes) issuer.held = true
    await fleet.askAll('one')
    await fleet.askAll('one')
    t.assert.equal(fleet.newFetches(), 1)
    fleet.time += 0.25 * minute
    await fleet.askAll('one')
    t.assert.equal(fleet.newFetches(), 1)
    t.assert.deepEqual(
      fleet.processes.map(({ fetches }) => fetches.length),
      [2, 1],
    )
    for (const { fetches } of fleet.processes) fetches.at(-1)!.fail('killed')
  })

  for (const [kind, Store] of [
    ['plain', MemoryStore],
    ['atomic', AtomicStore],
  ] as const) {
    test(`a request waits at most half of timeout for a process that has claimed the fetch, with a store that is ${kind}`, async (t: TestContext) => {
      const fleet = new Fleet([one], 2, { timeout: 600 }, new Store())
      const [first, second] = fleet.processes as [ScriptedIssuer, ScriptedIssuer]
      first.held = true
      const waiting = first.ask('one')
      await settle()
      const startedAt = performance.now()
      t.assert.equal(await second.ask('one'), pemOf(one))
      const waited = performance.now() - startedAt
      t.assert.ok(waited > 150 && waited < 500, `${waited} ms`)
      first.fetches[0]!.answer({ keys: [one] })
      await waiting
    })

    test(`a failed fetch is repeated by the next process at once, with a store that is ${kind}`, async (t: TestContext) => {
      const fleet = new Fleet([one], 1, {}, new Store())
      fleet.failure = 'down'
      t.assert.equal(await fleet.processes[0]!.ask('one'), 'jwks_unavailable')
      fleet.failure = undefined
      const startedAt = performance.now()
      t.assert.equal(await fleet.start().ask('one'), pemOf(one))
      t.assert.ok(performance.now() - startedAt < 300)
    })
  }

  test('a request that waits for another process gets its answer', async (t: TestContext) => {
    const fleet = new Fleet([one], 2)
    const [first, second] = fleet.processes as [ScriptedIssuer, ScriptedIssuer]
    first.held = true
    const results = [first.ask('one')]
    await settle()
    results.push(second.ask('one'))
    await settle()
    first.fetches[0]!.answer({ keys: [one] })
    t.assert.deepEqual(await Promise.all(results), [pemOf(one), pemOf(one)])
    t.assert.deepEqual([first.newFetches(), second.newFetches()], [1, 0])
  })

  test('stored keys that are older than an outage do not end it', async (t: TestContext) => {
    const fleet = await known(1)
    fleet.failure = 'down'
    fleet.time += minute
    const store = new MemoryStore()
    const started = fleet.start({ store })
    t.assert.equal(await started.ask('one'), 'jwks_unavailable')
    for (const entry of fleet.store.texts) store.texts.set(...entry)
    t.assert.equal(await started.ask('one'), pemOf(one))
    const { state, reason } = started.remote.status()
    t.assert.deepEqual([state, reason], ['fresh', 'down'])
  })

  test('with the keys of another process an outage is over', async (t: TestContext) => {
    const fleet = new Fleet([one], 2)
    const [first, second] = fleet.processes as [ScriptedIssuer, ScriptedIssuer]
    first.failure = 'down'
    t.assert.equal(await first.ask('one'), 'jwks_unavailable')
    t.assert.equal(await second.ask('one'), pemOf(one))
    t.assert.equal(await first.ask('one'), pemOf(one))
    t.assert.deepEqual([first.remote.status().state, first.remote.status().reason], ['fresh', undefined])
    t.assert.equal(first.newFetches(), 1)
  })
})

suite('unknown kids of processes that share keys', () => {
  test('a new key works at once in each process, with one fetch', async (t: TestContext) => {
    const fleet = await known(3)
    await fleet.askAll('one')
    fleet.keys = [one, two]
    for (const issuer of fleet.processes) t.assert.equal(await issuer.ask('two'), pemOf(two))
    t.assert.equal(fleet.newFetches(), 1)
  })

  test('a key that another process has learnt works at once, whatever came before', async (t: TestContext) => {
    const fleet = await known(2)
    const [first, second] = fleet.processes as [ScriptedIssuer, ScriptedIssuer]
    await fleet.askAll('one')
    for (let index = 0; index < 20; index += 1) t.assert.equal(await first.ask(`unknown ${index}`), 'none')
    t.assert.equal(fleet.newFetches(), 2)
    fleet.keys = [one, two]
    t.assert.equal(await first.ask('two'), 'none')
    fleet.time += 10_000
    t.assert.equal(await second.ask('two'), pemOf(two))
    t.assert.equal(await first.ask('two'), pemOf(two))
    t.assert.equal(fleet.newFetches(), 1)
  })

  test('different unknown kids cause two fetches in a cooldown, by all processes together', async (t: TestContext) => {
    const fleet = await known(5)
    await fleet.askAll('one')
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(fleet.processes.map((issuer) => issuer.ask(crypto.randomUUID())))
    }
    t.assert.equal(fleet.newFetches(), 2)
    fleet.time += 10_000
    fleet.keys = [one, two]
    t.assert.equal(await fleet.processes[4]!.ask('two'), pemOf(two))
  })

  test('one unknown kid that is repeated to all processes leaves the other fetch to a new key', async (t: TestContext) => {
    const fleet = await known(5)
    await fleet.askAll('one')
    for (let round = 0; round < 10; round += 1) await fleet.askAll('unknown')
    t.assert.equal(fleet.newFetches(), 1)
    fleet.keys = [one, two]
    t.assert.deepEqual(new Set(await fleet.askAll('two')), new Set([pemOf(two)]))
    t.assert.equal(fleet.newFetches(), 1)
  })

  test('failed signatures cause one fetch in a cooldown, by all processes together', async (t: TestContext) => {
    const fleet = await known(5)
    await fleet.askAll('one')
    for (let round = 0; round < 3; round += 1) {
      for (const { remote } of fleet.processes) {
        const result = await remote.find('one', 'EdDSA')
        t.assert.deepEqual(
          await remote.findReplacement('one', 'EdDSA', 'keys' in result ? result.keys : []),
          [],
        )
      }
      await settle()
    }
    t.assert.equal(fleet.newFetches(), 1)
  })

  test('the store does not hold the kids that clients have sent', async (t: TestContext) => {
    const fleet = await known(1)
    await fleet.processes[0]!.ask('a secret kid')
    await settle()
    t.assert.match(fleet.store.answer[1], /"unknownKids":\[\{"kid":"[\w-]{43}"/)
    t.assert.doesNotMatch([...fleet.store.texts.values()].join(), /secret kid/)
  })
})

suite('stored entries', () => {
  /** The log lines of a process that finds an entry, after the tampering. */
  async function ignored(
    t: TestContext,
    tamper: (fleet: Fleet) => unknown,
    options: object = {},
  ): Promise<unknown[]> {
    const fleet = await known(1)
    await tamper(fleet)
    const started = fleet.start(options)
    t.assert.equal(await started.ask('one'), pemOf(one))
    t.assert.equal(started.newFetches(), 1)
    await settle()
    return started.log.map(({ level, message, reason }) => [level, message, reason])
  }

  const change = (edit: (text: string) => string) => (fleet: Fleet) => {
    const [key, text] = fleet.store.answer
    fleet.store.answer = [key, edit(text)]
  }

  const changed = 'it was changed, or written with another storeSecret'
  const entries: [what: string, reason: string, tamper: (fleet: Fleet) => unknown, options?: object][] = [
    ['that is truncated', changed, change((text) => text.slice(0, -1))],
    ['without a payload', 'it has another format', change((text) => text.slice(0, 46))],
    ['with another key', changed, change((text) => text.replace(`"x":"`, `"x":"A`))],
    ['with a later time', changed, change((text) => text.replace(/"fetchedAt":\d/, '"fetchedAt":2'))],
    ['from another secret', changed, () => {}, { secret: 'o'.repeat(32) }],
    ['from the future', 'it is from the future', (fleet) => (fleet.time -= 1)],
    ['that is as old as maxStale', 'it is too old', (fleet) => (fleet.time += 60 * minute)],
    ['of another version', 'it has another format', change((text) => text.replace(/^1/, '2'))],
    ['that is 10 MB long', 'it is too long', change((text) => text + ' '.repeat(10_000_000))],
    ['that is empty', 'it has another format', change(() => '')],
    ['that is JSON', 'it has another format', change(() => '{"keys":[]}')],
  ]
  for (const [what, reason, tamper, options] of entries) {
    test(`an entry ${what} is ignored, with one log line`, async (t: TestContext) => {
      t.assert.deepEqual(await ignored(t, tamper, options), [['warn', 'stored keys are ignored', reason]])
    })
  }

  test('an entry of another issuer is ignored, with one log line', async (t: TestContext) => {
    const other = new Fleet([two], 1, { issuer: 'https://other.example.com/' })
    await other.askAll('two')
    const swap = (fleet: Fleet): void => {
      fleet.store.answer = [fleet.store.answer[0], other.store.answer[1]]
    }
    t.assert.deepEqual(await ignored(t, swap), [
      ['warn', 'stored keys are ignored', 'it is for another issuer or jwksUri'],
    ])
  })

  test('a claim in the place of an answer is ignored, with one log line', async (t: TestContext) => {
    const swap = (fleet: Fleet): void => {
      const [, claim] = [...fleet.store.texts].find(([key]) => key.includes('claim'))!
      fleet.store.answer = [fleet.store.answer[0], claim]
    }
    t.assert.deepEqual(await ignored(t, swap), [
      ['warn', 'stored keys are ignored', 'it is for another issuer or jwksUri'],
    ])
  })

  test('an entry that is replayed after a newer one is ignored, with one log line for each process', async (t: TestContext) => {
    const fleet = await known(2)
    const replayed = fleet.store.answer
    fleet.time += minute
    fleet.keys = [two]
    t.assert.deepEqual(await fleet.askAll('two'), [pemOf(two), pemOf(two)])
    for (let round = 0; round < 3; round += 1) {
      fleet.store.answer = replayed
      t.assert.deepEqual(await fleet.askAll('one'), ['none', 'none'])
    }
    for (const { log } of fleet.processes) {
      t.assert.deepEqual(
        log.map(({ reason }) => reason),
        ['it is older than keys that were known before'],
      )
    }
  })

  test('an entry that is a little older than a fetch at the same time is ignored without a log line', async (t: TestContext) => {
    const fleet = await known(1)
    const older = fleet.store.answer
    fleet.time += 5_000
    const [issuer] = fleet.processes as [ScriptedIssuer]
    await issuer.ask('unknown')
    await settle()
    fleet.store.answer = older
    await issuer.ask('unknown')
    t.assert.deepEqual(issuer.log, [])
  })

  test('an entry whose keys can not be used is ignored, with one log line', async (t: TestContext) => {
    const replace = ({ store, time }: Fleet): void => {
      const subject = { issuer: 'https://id.example.com/', location: 'discovered' }
      const entry = new StoredEntry('answer', subject, Buffer.from('s'.repeat(32)))
      store.answer = [
        entry.key,
        entry.seal({ fetchedAt: time, unknownKids: [], failedSignatures: [], document: { keys: [] } }),
      ]
    }
    t.assert.deepEqual(await ignored(t, replace), [
      ['warn', 'stored keys are ignored', 'none of its keys can be used'],
    ])
  })

  test('the stored keys of another jwksUri are not used', async (t: TestContext) => {
    const fleet = await known(1)
    fleet.keys = [two]
    t.assert.equal(await fleet.start({ location: 'https://id.example.com/keys' }).ask('one'), 'none')
  })

  test('an answer is stored for as long as its keys can be used', async (t: TestContext) => {
    t.assert.deepEqual((await known(1)).store.ttls, [2_500, 60 * minute])
    t.assert.deepEqual((await known(1, { maxStale: 0 })).store.ttls, [2_500, 5 * minute])
    t.assert.deepEqual((await known(1, { timeout: 5_001 })).store.ttls, [2_501, 60 * minute])
  })
})

suite('a store that fails', () => {
  const failing: [what: string, store: JwksStore, reason: string][] = [
    [
      'throws',
      {
        get() {
          throw new Error('broken')
        },
        set() {
          throw new Error('broken')
        },
      },
      'broken',
    ],
    [
      'rejects',
      {
        get: () => Promise.reject(Object.assign(new Error('no connection'), { code: 'ECONNREFUSED' })),
        set: () => Promise.reject(new Error('no connection')),
      },
      'ECONNREFUSED',
    ],
    [
      'rejects with nothing',
      { get: () => Promise.reject(undefined as unknown as Error), set: () => Promise.reject(new Error('')) },
      'undefined',
    ],
  ]
  for (const [what, store, reason] of failing) {
    test(`with a store that ${what}, keys are fetched as without a store, with one log line`, async (t: TestContext) => {
      const issuer = new Fleet([one], 0).start({ store })
      issuer.keys = [one]
      t.assert.equal(await issuer.ask('one'), pemOf(one))
      t.assert.equal(await issuer.ask('unknown'), 'none')
      t.assert.equal(issuer.newFetches(), 2)
      await settle()
      t.assert.deepEqual(
        issuer.log.map(({ level, reason: logged }) => [level, logged]),
        [['warn', reason]],
      )
    })
  }

  test('with a store that hangs, the first request waits half a second, and no other one waits until the call ends', async (t: TestContext) => {
    const fleet = new Fleet([one], 0)
    let end: (text: undefined) => void = () => {}
    let isHanging = true
    const store: JwksStore = {
      get: (key) => (isHanging ? new Promise((resolve) => (end = resolve)) : fleet.store.get(key)),
      set: (key, value, ttl) => fleet.store.set(key, value, ttl),
    }
    const issuer = fleet.start({ store })
    issuer.keys = [one]
    const startedAt = performance.now()
    t.assert.equal(await issuer.ask('one'), pemOf(one))
    const waited = performance.now() - startedAt
    t.assert.ok(waited > 450 && waited < 1_500, `${waited} ms`)
    t.assert.equal(await issuer.ask('unknown'), 'none')
    t.assert.ok(performance.now() - startedAt - waited < 300)
    isHanging = false
    end(undefined)
    await settle()
    fleet.time += 10_000
    t.assert.equal(await issuer.ask('another'), 'none')
    await settle()
    t.assert.equal(fleet.store.texts.size, 2)
    t.assert.deepEqual(
      issuer.log.map(({ level, message, reason }) => [level, message, reason]),
      [
        ['warn', 'jwks.store fails, so the keys are neither read from it nor shared', 'timeout'],
        ['info', 'jwks.store works again', undefined],
      ],
    )
  })

  test('a store that hangs leaves half of a short timeout to the issuer', async (t: TestContext) => {
    const issuer = new Fleet([one], 0).start({
      timeout: 200,
      store: { get: () => new Promise(() => {}), set() {} },
    })
    issuer.keys = [one]
    t.assert.equal(await issuer.ask('one'), pemOf(one))
  })

  test('a store that returns something else than text has nothing', async (t: TestContext) => {
    const issuer = new Fleet([one], 0).start({ store: { get: () => 1 as unknown as string, set() {} } })
    issuer.keys = [one]
    t.assert.equal(await issuer.ask('one'), pemOf(one))
    t.assert.deepEqual(issuer.log, [])
  })

  test('closing ends the wait for a store', async (t: TestContext) => {
    const issuer = new Fleet([one], 0).start({ store: { get: () => new Promise(() => {}), set() {} } })
    const startedAt = performance.now()
    const result = issuer.ask('one')
    issuer.remote.close()
    t.assert.equal(await result, 'jwks_unavailable')
    t.assert.ok(performance.now() - startedAt < 300)
  })
})
