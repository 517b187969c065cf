import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { curveKey, pemOf } from '../../helpers/jwk.ts'
import { ScriptedIssuer } from '../../helpers/scripted-issuer.ts'

const cooldown = 10_000
const [one, two] = [curveKey('Ed25519', { kid: 'one' }), curveKey('Ed25519', { kid: 'two' })]

/** An issuer whose first key is cached. */
async function known(options: { cooldown?: number; refreshInterval?: number } = {}): Promise<ScriptedIssuer> {
  const issuer = new ScriptedIssuer([one], options)
  await issuer.ask('one')
  issuer.newFetches()
  return issuer
}

/** Different kids that no key has. */
function unknownKids(count: number): string[] {
  return Array.from({ length: count }, () => `unknown ${crypto.randomUUID()}`)
}

/** Requests the keys of unknown kids one after another. */
async function flood(issuer: ScriptedIssuer, kids: string[]): Promise<void> {
  for (const kid of kids) assert.equal(await issuer.ask(kid), 'none')
}

suite('a new key', () => {
  test('a request with a new kid causes a fetch at once and succeeds', async () => {
    const issuer = await known()
    issuer.keys = [one, two]
    assert.equal(await issuer.ask('two'), pemOf(two))
    assert.equal(issuer.newFetches(), 1)
    assert.equal(issuer.knows('two'), true)
  })

  test('one hundred simultaneous requests with a new kid cause one fetch', async () => {
    const issuer = await known()
    issuer.keys = [one, two]
    const results = await Promise.all(Array.from({ length: 100 }, () => issuer.ask('two')))
    assert.deepEqual(new Set(results), new Set([pemOf(two)]))
    assert.equal(issuer.newFetches(), 1)
  })

  test('a new key works at once after any number of requests with one unknown kid', async () => {
    const issuer = await known()
    await flood(issuer, Array<string>(1_000).fill('unknown'))
    assert.equal(issuer.newFetches(), 1)
    issuer.keys = [one, two]
    assert.equal(await issuer.ask('two'), pemOf(two))
    assert.equal(issuer.newFetches(), 1)
  })

  test('a kid that was requested before its key was published works after a fetch for another kid', async () => {
    const issuer = await known()
    assert.equal(await issuer.ask('two'), 'none')
    issuer.keys = [one, two]
    await flood(issuer, unknownKids(1))
    assert.equal(await issuer.ask('two'), pemOf(two))
  })

  test('a kid that was requested before its key was published works one cooldown later', async () => {
    const issuer = await known()
    assert.equal(await issuer.ask('two'), 'none')
    issuer.keys = [one, two]
    assert.equal(await issuer.askAt(cooldown, 'two'), pemOf(two))
  })

  test('a new key works one cooldown later during a flood of unknown kids', async () => {
    const issuer = await known()
    await flood(issuer, unknownKids(100))
    issuer.keys = [one, two]
    let worksAt = 0
    for (let time = 100; worksAt === 0 && time <= cooldown * 2; time += 100) {
      issuer.time = time
      await flood(issuer, unknownKids(10))
      if ((await issuer.ask('two')) === pemOf(two)) worksAt = time
    }
    assert.equal(worksAt, cooldown)
  })

  test('known keys are found without waiting during a flood of unknown kids', async () => {
    const issuer = await known()
    issuer.held = true
    const results = unknownKids(1_000).map((kid) => issuer.ask(kid))
    assert.equal(issuer.knows('one'), true)
    issuer.held = false
    issuer.fetches[1]!.answer({ keys: [one] })
    await Promise.all(results)
    assert.equal(issuer.knows('one'), true)
  })
})

suite('fetches that unknown kids cause', () => {
  test('one thousand different unknown kids cause two fetches', async () => {
    const issuer = await known()
    await flood(issuer, unknownKids(1_000))
    assert.equal(issuer.newFetches(), 2)
  })

  test('one thousand different unknown kids at once cause two fetches', async () => {
    const issuer = await known()
    await Promise.all(unknownKids(1_000).map((kid) => flood(issuer, [kid])))
    assert.equal(issuer.newFetches(), 2)
  })

  test('unknown kids cause two fetches in each cooldown', async () => {
    const issuer = await known()
    for (let time = 0; time < cooldown * 10; time += cooldown / 10) {
      issuer.time = time
      await flood(issuer, unknownKids(10))
    }
    assert.equal(issuer.newFetches(), 20)
  })

  test('the limiter does not count the first fetch of the issuer', async () => {
    const issuer = new ScriptedIssuer([one])
    await flood(issuer, unknownKids(1_000))
    assert.equal(issuer.newFetches(), 3)
  })

  test('a kid that caused the first fetch may cause another one at once', async () => {
    const issuer = new ScriptedIssuer([one])
    await flood(issuer, ['two'])
    issuer.keys = [one, two]
    assert.equal(await issuer.ask('two'), pemOf(two))
  })

  test('the limiter counts a refresh after idle time if an unknown kid caused it', async () => {
    const issuer = await known()
    issuer.time = 300_000
    await flood(issuer, unknownKids(1_000))
    assert.equal(issuer.newFetches(), 2)
  })

  test('the limiter does not count a refresh after idle time if a known kid caused it', async () => {
    const issuer = await known()
    await issuer.askAt(300_000, 'one')
    await flood(issuer, unknownKids(1_000))
    assert.equal(issuer.newFetches(), 3)
  })

  test('the limiter does not count failed fetches', async () => {
    const issuer = await known()
    issuer.failure = 'HTTP 500'
    for (const kid of unknownKids(20))
      assert.equal(await issuer.askAt(issuer.time + 100, kid), 'jwks_unavailable')
    assert.ok(issuer.newFetches() > 2)
    issuer.failure = undefined
    issuer.time = cooldown - 1
    await flood(issuer, unknownKids(1_000))
    assert.equal(issuer.newFetches(), 2)
  })

  test('a cooldown of 0 turns the limit off', async () => {
    const issuer = await known({ cooldown: 0 })
    await flood(issuer, Array<string>(50).fill('unknown'))
    assert.equal(issuer.newFetches(), 50)
  })
})

suite('a fetch that started before the request', () => {
  test('a request causes another fetch if the fetch in flight does not bring its key', async () => {
    const issuer = await known()
    issuer.held = true
    const unknown = issuer.ask('unknown')
    const result = issuer.ask('two')
    issuer.fetches[1]!.answer({ keys: [one] })
    issuer.keys = [one, two]
    issuer.held = false
    assert.deepEqual(await Promise.all([unknown, result]), ['none', pemOf(two)])
    assert.equal(issuer.newFetches(), 2)
  })

  test('requests whose keys are missing from a fetch share the next fetch', async () => {
    const issuer = new ScriptedIssuer([one, two])
    issuer.held = true
    const results = ['one', 'two', 'two', 'two', 'unknown'].map((kid) => issuer.ask(kid))
    issuer.held = false
    issuer.fetches[0]!.answer({ keys: [one] })
    assert.deepEqual(await Promise.all(results), [pemOf(one), pemOf(two), pemOf(two), pemOf(two), 'none'])
    assert.equal(issuer.newFetches(), 2)
  })

  test('a kid that was not found before shares a fetch that another kid causes', async () => {
    const issuer = await known({ refreshInterval: 4_000 })
    await flood(issuer, ['two'])
    issuer.held = true
    issuer.time = 3_000
    issuer.knows('one')
    const results = ['unknown', 'two'].map((kid) => issuer.ask(kid))
    issuer.held = false
    issuer.keys = [one, two]
    issuer.fetches.at(-1)!.answer({ keys: [one] })
    assert.deepEqual(await Promise.all(results), ['none', pemOf(two)])
  })

  test('a request causes no other fetch if the limiter allows none', async () => {
    const issuer = await known()
    await flood(issuer, ['a'])
    issuer.held = true
    const results = Promise.all([issuer.ask('b'), issuer.ask('c')])
    issuer.fetches.at(-1)!.answer({ keys: [one] })
    assert.deepEqual(await results, ['none', 'none'])
    assert.equal(issuer.newFetches(), 2)
  })

  test('a request causes no other fetch if the fetch in flight brings its key', async () => {
    const issuer = await known()
    issuer.held = true
    const results = [issuer.ask('unknown'), issuer.ask('two')]
    issuer.fetches[1]!.answer({ keys: [one, two] })
    assert.deepEqual(await Promise.all(results), ['none', pemOf(two)])
    assert.equal(issuer.newFetches(), 1)
  })

  test('a request is refused if the fetch in flight fails', async () => {
    const issuer = await known()
    issuer.held = true
    const results = [issuer.ask('unknown'), issuer.ask('two')]
    issuer.fetches[1]!.fail('HTTP 500')
    assert.deepEqual(await Promise.all(results), ['jwks_unavailable', 'jwks_unavailable'])
    assert.equal(issuer.newFetches(), 1)
  })
})

suite('unknown kids in an outage', () => {
  test('unknown kids are unavailable in an outage, even if the limiter allows no fetch', async () => {
    const issuer = await known({ refreshInterval: 4_000 })
    await flood(issuer, unknownKids(2))
    issuer.failure = 'HTTP 500'
    await issuer.askAt(3_000, 'one')
    for (const kid of unknownKids(10)) assert.equal(await issuer.ask(kid), 'jwks_unavailable')
  })

  test('a kid that was not found before the outage is unavailable during the outage', async () => {
    const issuer = await known()
    await flood(issuer, ['two'])
    issuer.failure = 'HTTP 500'
    assert.equal(await issuer.ask('unknown'), 'jwks_unavailable')
    assert.equal(await issuer.ask('two'), 'jwks_unavailable')
  })

  test('the limiter does not delay the first fetch after an outage', async () => {
    const issuer = await known({ refreshInterval: 4_000 })
    await flood(issuer, unknownKids(2))
    issuer.failure = 'HTTP 500'
    await issuer.askAt(3_000, 'one')
    issuer.failure = undefined
    issuer.keys = [one, two]
    assert.equal(await issuer.ask('two'), pemOf(two))
  })
})
