import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { curveKey, pemOf } from '../../helpers/jwk.ts'
import { ScriptedIssuer } from '../../helpers/scripted-issuer.ts'

const cooldown = 10_000
const [one, two] = [curveKey('Ed25519', { kid: 'one' }), curveKey('Ed25519', { kid: 'two' })]

/** An issuer whose first key is known. */
async function known(options: { cooldown?: number; refreshInterval?: number } = {}): Promise<ScriptedIssuer> {
  const issuer = new ScriptedIssuer([one], options)
  await issuer.ask('one')
  issuer.newFetches()
  return issuer
}

/** As many different kids as nobody has a key for. */
function strangers(count: number): string[] {
  return Array.from({ length: count }, () => `stranger ${crypto.randomUUID()}`)
}

/** Asks for one kid after another, none of which has a key. */
async function flood(issuer: ScriptedIssuer, kids: string[]): Promise<void> {
  for (const kid of kids) assert.equal(await issuer.ask(kid), 'none')
}

suite('a new key', () => {
  test('an unknown kid leads to a fetch at once, and the same request succeeds', async () => {
    const issuer = await known()
    issuer.keys = [one, two]
    assert.equal(await issuer.ask('two'), pemOf(two))
    assert.equal(issuer.newFetches(), 1)
    assert.equal(issuer.knows('two'), true)
  })

  test('one hundred requests with it at once are one fetch', async () => {
    const issuer = await known()
    issuer.keys = [one, two]
    const verdicts = await Promise.all(Array.from({ length: 100 }, () => issuer.ask('two')))
    assert.deepEqual(new Set(verdicts), new Set([pemOf(two)]))
    assert.equal(issuer.newFetches(), 1)
  })

  test('it works at once however often a stranger repeats one kid', async () => {
    const issuer = await known()
    await flood(issuer, Array<string>(1_000).fill('stranger'))
    assert.equal(issuer.newFetches(), 1)
    issuer.keys = [one, two]
    assert.equal(await issuer.ask('two'), pemOf(two))
    assert.equal(issuer.newFetches(), 1)
  })

  test('one that was seen before it was published works by the next fetch, whoever causes it', async () => {
    const issuer = await known()
    assert.equal(await issuer.ask('two'), 'none')
    issuer.keys = [one, two]
    await flood(issuer, strangers(1))
    assert.equal(await issuer.ask('two'), pemOf(two))
  })

  test('one that was seen before it was published works one cooldown later', async () => {
    const issuer = await known()
    assert.equal(await issuer.ask('two'), 'none')
    issuer.keys = [one, two]
    assert.equal(await issuer.askAt(cooldown, 'two'), pemOf(two))
  })

  test('in a flood it works one cooldown later', async () => {
    const issuer = await known()
    await flood(issuer, strangers(100))
    issuer.keys = [one, two]
    let worksAt = 0
    for (let time = 100; worksAt === 0 && time <= cooldown * 2; time += 100) {
      issuer.time = time
      await flood(issuer, strangers(10))
      if ((await issuer.ask('two')) === pemOf(two)) worksAt = time
    }
    assert.equal(worksAt, cooldown)
  })

  test('the known keys are found without waiting all through a flood', async () => {
    const issuer = await known()
    issuer.held = true
    const verdicts = strangers(1_000).map((kid) => issuer.ask(kid))
    assert.equal(issuer.knows('one'), true)
    issuer.held = false
    issuer.fetches[1]!.answer({ keys: [one] })
    await Promise.all(verdicts)
    assert.equal(issuer.knows('one'), true)
  })
})

suite('what unknown kids cost the issuer', () => {
  test('one thousand different unknown kids cause two fetches', async () => {
    const issuer = await known()
    await flood(issuer, strangers(1_000))
    assert.equal(issuer.newFetches(), 2)
  })

  test('one thousand different unknown kids at once cause two fetches', async () => {
    const issuer = await known()
    await Promise.all(strangers(1_000).map((kid) => flood(issuer, [kid])))
    assert.equal(issuer.newFetches(), 2)
  })

  test('unknown kids cause two fetches in each cooldown', async () => {
    const issuer = await known()
    for (let time = 0; time < cooldown * 10; time += cooldown / 10) {
      issuer.time = time
      await flood(issuer, strangers(10))
    }
    assert.equal(issuer.newFetches(), 20)
  })

  test('the first fetch of all does not count', async () => {
    const issuer = new ScriptedIssuer([one])
    await flood(issuer, strangers(1_000))
    assert.equal(issuer.newFetches(), 3)
  })

  test('the first fetch of all leaves its kid the budget', async () => {
    const issuer = new ScriptedIssuer([one])
    await flood(issuer, ['two'])
    issuer.keys = [one, two]
    assert.equal(await issuer.ask('two'), pemOf(two))
  })

  test('a refresh after idleness counts where an unknown kid caused it', async () => {
    const issuer = await known()
    issuer.time = 300_000
    await flood(issuer, strangers(1_000))
    assert.equal(issuer.newFetches(), 2)
  })

  test('a refresh after idleness does not count where a known kid caused it', async () => {
    const issuer = await known()
    await issuer.askAt(300_000, 'one')
    await flood(issuer, strangers(1_000))
    assert.equal(issuer.newFetches(), 3)
  })

  test('fetches that fail do not count', async () => {
    const issuer = await known()
    issuer.failure = 'HTTP 500'
    for (const kid of strangers(20))
      assert.equal(await issuer.askAt(issuer.time + 100, kid), 'jwks_unavailable')
    assert.ok(issuer.newFetches() > 2)
    issuer.failure = undefined
    issuer.time = cooldown - 1
    await flood(issuer, strangers(1_000))
    assert.equal(issuer.newFetches(), 2)
  })

  test('a cooldown of 0 is no bound', async () => {
    const issuer = await known({ cooldown: 0 })
    await flood(issuer, Array<string>(50).fill('stranger'))
    assert.equal(issuer.newFetches(), 50)
  })
})

suite('a fetch that was begun before a request came', () => {
  test('it may miss the key that the request names, so that the request causes one of its own', async () => {
    const issuer = await known()
    issuer.held = true
    const stranger = issuer.ask('stranger')
    const verdict = issuer.ask('two')
    issuer.fetches[1]!.answer({ keys: [one] })
    issuer.keys = [one, two]
    issuer.held = false
    assert.deepEqual(await Promise.all([stranger, verdict]), ['none', pemOf(two)])
    assert.equal(issuer.newFetches(), 2)
  })

  test('requests that it leaves without their keys share the next one', async () => {
    const issuer = new ScriptedIssuer([one, two])
    issuer.held = true
    const verdicts = ['one', 'two', 'two', 'two', 'stranger'].map((kid) => issuer.ask(kid))
    issuer.held = false
    issuer.fetches[0]!.answer({ keys: [one] })
    assert.deepEqual(await Promise.all(verdicts), [pemOf(one), pemOf(two), pemOf(two), pemOf(two), 'none'])
    assert.equal(issuer.newFetches(), 2)
  })

  test('a kid that was looked for in vain before shares the fetch of another', async () => {
    const issuer = await known({ refreshInterval: 4_000 })
    await flood(issuer, ['two'])
    issuer.held = true
    issuer.time = 3_000
    issuer.knows('one')
    const verdicts = ['stranger', 'two'].map((kid) => issuer.ask(kid))
    issuer.held = false
    issuer.keys = [one, two]
    issuer.fetches.at(-1)!.answer({ keys: [one] })
    assert.deepEqual(await Promise.all(verdicts), ['none', pemOf(two)])
  })

  test('where it was the last of the budget there is no other', async () => {
    const issuer = await known()
    await flood(issuer, ['a'])
    issuer.held = true
    const verdicts = Promise.all([issuer.ask('b'), issuer.ask('c')])
    issuer.fetches.at(-1)!.answer({ keys: [one] })
    assert.deepEqual(await verdicts, ['none', 'none'])
    assert.equal(issuer.newFetches(), 2)
  })

  test('where it brings the key there is no other', async () => {
    const issuer = await known()
    issuer.held = true
    const verdicts = [issuer.ask('stranger'), issuer.ask('two')]
    issuer.fetches[1]!.answer({ keys: [one, two] })
    assert.deepEqual(await Promise.all(verdicts), ['none', pemOf(two)])
    assert.equal(issuer.newFetches(), 1)
  })

  test('where it fails the request is refused with it', async () => {
    const issuer = await known()
    issuer.held = true
    const verdicts = [issuer.ask('stranger'), issuer.ask('two')]
    issuer.fetches[1]!.fail('HTTP 500')
    assert.deepEqual(await Promise.all(verdicts), ['jwks_unavailable', 'jwks_unavailable'])
    assert.equal(issuer.newFetches(), 1)
  })
})

suite('unknown kids in an outage', () => {
  test('they are unavailable, however little of their budget is left', async () => {
    const issuer = await known({ refreshInterval: 4_000 })
    await flood(issuer, strangers(2))
    issuer.failure = 'HTTP 500'
    await issuer.askAt(3_000, 'one')
    for (const kid of strangers(10)) assert.equal(await issuer.ask(kid), 'jwks_unavailable')
  })

  test('a kid that was looked for in vain before is unavailable as well', async () => {
    const issuer = await known()
    await flood(issuer, ['two'])
    issuer.failure = 'HTTP 500'
    assert.equal(await issuer.ask('stranger'), 'jwks_unavailable')
    assert.equal(await issuer.ask('two'), 'jwks_unavailable')
  })

  test('their first fetch after it is not held back by the budget', async () => {
    const issuer = await known({ refreshInterval: 4_000 })
    await flood(issuer, strangers(2))
    issuer.failure = 'HTTP 500'
    await issuer.askAt(3_000, 'one')
    issuer.failure = undefined
    issuer.keys = [one, two]
    assert.equal(await issuer.ask('two'), pemOf(two))
  })
})
