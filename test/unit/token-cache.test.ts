import { suite, test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Credentials } from '../../lib/http/authorization-header.ts'
import type { KeyVerifier } from '../../lib/issuers/key-source.ts'
import { freezeDeeply } from '../../lib/jwt/json.ts'
import type { AccessToken, AccessTokenClaims } from '../../lib/jwt/token.ts'
import { Doorkeeper, TokenCache } from '../../lib/token-cache.ts'

const createVerifier = (): KeyVerifier => ({
  rules: {} as KeyVerifier['rules'],
  verify: () => true,
  freshUntil: Infinity,
})
const verifier = createVerifier()
const times = { expiresAt: Infinity, notBefore: -Infinity, tooOldAt: Infinity, earliestIssue: -Infinity }

const rawOf = (index: number): string => `${'x'.repeat(50)}${index}`
const tokenOf = (raw: string, claims: AccessTokenClaims = { iss: '', exp: 0 }): AccessToken =>
  Object.freeze({ raw, header: { alg: 'none' }, claims })

/** Adds a token, which the doorkeeper admits at the second attempt. */
function add(cache: TokenCache, accessToken: AccessToken, by = verifier): void {
  for (let attempt = 0; attempt < 2; attempt += 1) cache.add(accessToken, by, times)
}

const credentialsOf = (token: string): Credentials => ({ scheme: 'Bearer', token })

/** The access token that a header contains, by its stored header or by its text. */
function find(cache: TokenCache, authorization: string): AccessToken | undefined {
  const found = cache.find(authorization)
  const raw = authorization.replace(/^Bearer +/, '')
  return (
    found?.matchHeader(authorization) ?? (found && cache.matchToken(found, credentialsOf(raw), authorization))
  )
}

/** A separate copy of a string, as each request has its own. */
const received = (text: string): string => Buffer.from(text).toString()

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

async function collectGarbage(): Promise<void> {
  // A WeakRef keeps its target until the end of the current turn of the event loop.
  await setImmediate()
  gc()
}

test('a token is added at the second attempt', (t) => {
  const cache = new TokenCache({ max: 10, maxBytes: 1e6 })
  cache.add(tokenOf(rawOf(1)), verifier, times)
  t.assert.equal(cache.find(rawOf(1)), undefined)
  cache.add(tokenOf(rawOf(1)), verifier, times)
  t.assert.equal(find(cache, `Bearer ${rawOf(1)}`)!.raw, rawOf(1))
})

test('the tokens that a key verified are evicted with it, and no others', (t) => {
  const [removed, kept] = [createVerifier(), createVerifier()]
  const cache = new TokenCache({ max: 10, maxBytes: 1e6 })
  for (const [index, by] of [removed, kept, removed].entries()) add(cache, tokenOf(rawOf(index)), by)
  cache.evictByKey(new Set([removed]))
  t.assert.deepEqual(
    [0, 1, 2].map((index) => cache.find(rawOf(index))?.verifier),
    [undefined, kept, undefined],
  )
})

test('a token with the same end as a cached one is not taken for it, with and without a stored header', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const cache = new TokenCache({ max: 10, maxBytes: 1e6 })
  add(cache, tokenOf(rawOf(1)))
  for (let round = 0; round < 4; round += 1) {
    if (round % 2 === 0) t.mock.timers.tick(10_000)
    t.assert.equal(find(cache, `Bearer y${rawOf(1)}`), undefined)
    t.assert.equal(find(cache, `Bearer ${rawOf(1)}`)!.raw, rawOf(1))
  }
})

test('a stored header matches exactly', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const cache = new TokenCache({ max: 10, maxBytes: 1e6 })
  add(cache, tokenOf(rawOf(1)))
  const authorization = `Bearer ${rawOf(1)}`
  const found = cache.find(authorization)!
  t.assert.equal(found.matchHeader(authorization), undefined)
  const accessToken = cache.matchToken(found, credentialsOf(rawOf(1)), authorization)
  t.assert.equal(found.matchHeader(received(authorization)), accessToken)
  t.assert.equal(found.scheme, 'Bearer')
  for (const other of [`bearer ${rawOf(1)}`, `Basic ${rawOf(1)}`, rawOf(1)]) {
    t.assert.equal(found.matchHeader(other), undefined)
  }
  t.assert.equal(cache.matchToken(found, credentialsOf(rawOf(1)), `${authorization} `)!.raw, rawOf(1))
})

test('a token stays in memory for ten seconds at most', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const cache = new TokenCache({ max: 10, maxBytes: 1e6 })
  let token = new WeakRef<object>({})
  const addAgain = (): void => {
    const accessToken = tokenOf(rawOf(1))
    add(cache, accessToken)
    token = new WeakRef(accessToken)
  }
  const findAgain = (): void => {
    token = new WeakRef(find(cache, `Bearer ${rawOf(1)}`)!)
  }
  addAgain()
  await collectGarbage()
  t.assert.equal(token.deref(), undefined)
  // The second round shows that the timer is started again.
  for (let round = 0; round < 2; round += 1) {
    findAgain()
    t.mock.timers.tick(9_999)
    findAgain()
    await collectGarbage()
    t.assert.notEqual(token.deref(), undefined)
    t.mock.timers.tick(1)
    await collectGarbage()
    t.assert.equal(token.deref(), undefined)
  }
})

test('an evicted token leaves memory at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const cache = new TokenCache({ max: 1, maxBytes: 1e6 })
  add(cache, tokenOf(rawOf(1)))
  const token = new WeakRef(find(cache, `Bearer ${rawOf(1)}`)!)
  add(cache, tokenOf(rawOf(2)))
  await collectGarbage()
  t.assert.equal(token.deref(), undefined)
})

const count = 500

function filled(length: number): { cache: TokenCache; raws: string[] } {
  const cache = new TokenCache({ max: count, maxBytes: 1e9 })
  const raws = Array.from({ length: count }, (_, index) => `${'x'.repeat(length)}${rawOf(1_000 + index)}`)
  for (const raw of raws) add(cache, tokenOf(raw))
  return { cache, raws }
}

function heapGrowth(act: () => void): number {
  gc()
  const before = process.memoryUsage().heapUsed
  act()
  gc()
  return process.memoryUsage().heapUsed - before
}

for (const [title, authorizationOf] of [
  ['spaces', (raw: string) => received(`Bearer${' '.repeat(15_000)}${raw}`)],
  ['a larger string', (raw: string) => received(`${'x'.repeat(15_000)}${raw}`).slice(15_000)],
] as const) {
  test(`a stored header keeps none of ${title} before the token in memory`, (t: TestContext) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { cache, raws } = filled(0)
    const growth = heapGrowth(() => {
      for (const raw of raws) t.assert.equal(find(cache, authorizationOf(raw))?.raw, raw)
    })
    t.assert.ok(growth < count * 1_000, `${growth} bytes`)
    t.assert.ok(cache.bytes > 0)
  })
}

test('a cache whose tokens are used in turn keeps as many as it has room for', (t) => {
  const cache = new TokenCache({ max: 1_000, maxBytes: 1e9 })
  const all = Array.from({ length: 1_000 }, (_, index) => tokenOf(rawOf(index + 1_000)))
  for (let round = 0; round < 2; round += 1) {
    for (const accessToken of all) cache.add(accessToken, verifier, times)
  }
  t.assert.equal(all.filter(({ raw }) => find(cache, `Bearer ${raw}`)).length, 1_000)
})

const name = (index: number, length: number): string => `${index} `.padEnd(length, 'x')
const shapes: Record<string, (index: number) => object> = {
  'no claims': () => ({}),
  'usual claims': (index) => ({
    sub: name(index, 20),
    aud: ['a'.repeat(40), 'b'.repeat(40)],
    scope: 'read write admin '.repeat(10),
  }),
  'many groups': () => ({ groups: Array.from({ length: 200 }, (_, group) => name(group, 30)) }),
  'empty objects': () => ({ nested: Array.from({ length: 200 }, () => ({})) }),
  numbers: () => ({ numbers: Array.from({ length: 500 }, (_, number) => number + 0.5) }),
  'many claims': () => Object.fromEntries(Array.from({ length: 200 }, (_, claim) => [name(claim, 8), claim])),
  'unique claim names': (index) =>
    Object.fromEntries(Array.from({ length: 100 }, (_, claim) => [name(index * 100 + claim, 60), true])),
  'one long name': (index) => ({ [name(index, 8_000)]: 1 }),
  'text beyond Latin': () => ({ unicode: 'ж'.repeat(4_000) }),
}
for (const [title, claimsOf] of Object.entries(shapes)) {
  test(`the estimated size of a token with ${title} is at least its size in memory`, (t: TestContext) => {
    // Many small tokens, so that other changes of the heap are small in comparison.
    const number = JSON.stringify(claimsOf(0)).length < 1_000 ? 4_000 : 1_000
    const cache = new TokenCache({ max: 2 * number, maxBytes: 1e9 })
    const fill = (from: number): void => {
      for (let index = from; index < from + number; index += 1) {
        const claims = JSON.parse(JSON.stringify(claimsOf(index))) as AccessTokenClaims
        freezeDeeply(claims)
        add(cache, tokenOf(rawOf(index), claims))
        find(cache, received(`Bearer ${rawOf(index)}`))
      }
      for (let round = 0; round < 2; round += 1) gc()
    }
    fill(0)
    const before = { estimated: cache.bytes, heap: process.memoryUsage().heapUsed }
    fill(number)
    const estimated = cache.bytes - before.estimated
    const taken = process.memoryUsage().heapUsed - before.heap
    t.assert.ok(taken <= estimated, `${taken} bytes taken, ${estimated} estimated`)
    t.assert.ok(estimated < taken * 10, `${taken} bytes taken, ${estimated} estimated`)
  })
}

suite('the doorkeeper', () => {
  const fingerprints = (from: number, length: number): number[] =>
    Array.from({ length }, (_, index) => from + index)

  test('admits a fingerprint at the second attempt', (t) => {
    const doorkeeper = new Doorkeeper(2)
    t.assert.deepEqual(
      [doorkeeper.admits(7), doorkeeper.admits(7), doorkeeper.admits(8)],
      [false, true, false],
    )
  })

  for (const size of [1, 100, 10_000]) {
    test(`remembers the last ${size} fingerprints, and forgets those before the last ${2 * size}`, (t) => {
      const doorkeeper = new Doorkeeper(size)
      for (const fingerprint of fingerprints(1, 3 * size)) doorkeeper.admits(fingerprint)
      const remembered = (from: number): number =>
        fingerprints(from, size).filter((fingerprint) => doorkeeper.admits(fingerprint)).length
      t.assert.equal(remembered(1 + 2 * size), size)
      t.assert.equal(remembered(1), 0)
    })
  }
})
