import { suite, test, type TestContext } from 'node:test'
import type { ResolveIssuer, IssuerOptions } from '../../../lib/index.ts'
import type { Issuer } from '../../../lib/issuers/issuer.ts'
import { readPluginOptions } from '../../../lib/options/plugin-options.ts'
import {
  IssuerResolverError,
  createIssuerResolver,
  type IssuerResolver,
} from '../../../lib/issuers/issuer-resolver.ts'
import type { KeyVerifier } from '../../../lib/issuers/issuer.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

/** What the application's function answers about an issuer: tokens by a shared secret, so that nothing is fetched. */
function options(issuer: string, others: Partial<IssuerOptions> = {}): IssuerOptions {
  return { issuer, audience: 'api', secret: 'a shared secret of 32 characters', ...others } as IssuerOptions
}

/** Issuers that a function finds, on a clock that the test moves. */
class ScriptedResolver {
  time = 0
  readonly asked: string[] = []
  /** What the function was called on. */
  readonly calledOn: unknown[] = []
  readonly lines: object[] = []
  readonly messages: string[] = []
  readonly issuers: IssuerResolver

  constructor(find: ResolveIssuer, others: object = {}) {
    const { asked, calledOn } = this
    const ask = function (this: unknown, iss: string): ReturnType<ResolveIssuer> {
      asked.push(iss)
      calledOn.push(this)
      return find(iss)
    }
    const settings = readPluginOptions({ issuers: ask, ...others })
    this.issuers = createIssuerResolver(settings.issuers, {
      ...settings,
      log: {
        warn: (details, message) => {
          this.lines.push(details)
          this.messages.push(message)
        },
        info() {},
        debug() {},
      },
      onRemoved() {},
      now: () => this.time,
    })
  }

  /** What is known at once. */
  named(iss: unknown, time: number = this.time): Issuer | undefined {
    this.time = time
    const issuer = this.issuers.resolve(iss)
    if (issuer instanceof Promise) throw new TypeError('it has to be waited for')
    return issuer
  }

  /** How often the function was asked since this was asked last. */
  newlyAsked(): number {
    return this.asked.splice(0).length
  }
}

const interval = 300_000
const cooldown = 10_000

/** The verifier of its tokens. */
function verifierOf(issuer: Issuer | undefined): KeyVerifier {
  return issuer!.verifierFor({ alg: 'HS256' }) as KeyVerifier
}

function audienceOf(issuer: Issuer | undefined): unknown {
  return verifierOf(issuer).rules.audience
}

suite('an issuer that a function finds', () => {
  test('is asked for once within the interval, and is the same one after it', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    const first = found.named('a')
    t.assert.notEqual(first, undefined)
    t.assert.equal(found.named('a', interval - 1), first)
    t.assert.equal(found.newlyAsked(), 1)
    t.assert.equal(found.named('a', interval), first)
    t.assert.equal(found.named('a', 2 * interval - 1), first)
    t.assert.equal(found.newlyAsked(), 1)
  })

  test('has verifiers that are settled until the function is to be asked again, and no longer', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    t.assert.equal(verifierOf(found.named('a', 5)).freshUntil, 5 + interval)
    t.assert.equal(verifierOf(found.named('a', 100)).freshUntil, 5 + interval)
    t.assert.equal(verifierOf(found.named('a', 5 + interval)).freshUntil, 5 + 2 * interval)
  })

  test('leaves no settled verifier behind, nor makes one afterwards', (t) => {
    let audience = 'api'
    const found = new ScriptedResolver((iss) => (audience === '' ? undefined : options(iss, { audience })))
    for (const next of ['web', '']) {
      const issuer = found.named('a', found.time)
      const verifier = verifierOf(issuer)
      audience = next
      found.named('a', found.time + interval)
      t.assert.equal(verifier.freshUntil, -Infinity)
      t.assert.equal(verifierOf(issuer).freshUntil, -Infinity)
    }
  })

  test('is none where what the function returned throws, be it nothing', (t) => {
    const thrown = (): never => {
      throw null
    }
    const found = new ScriptedResolver(() =>
      Object.defineProperty(options('a'), 'issuer', { get: thrown, enumerable: true }),
    )
    t.assert.equal(found.named('a'), undefined)
    t.assert.match(found.messages[0]!, /returned options that throw/)
  })

  test('is known to requests that are still under way when the server closes, without being asked for', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    const issuer = found.named('a')
    found.issuers.close()
    t.assert.equal(found.named('a', 1), issuer)
    t.assert.equal(verifierOf(issuer).freshUntil, interval)
    t.assert.equal(found.newlyAsked(), 1)
  })

  test('leaves no settled verifier behind where keys are published either', async (t: TestContext) => {
    await using published = await LocalIssuer.start()
    let audience = 'api'
    const find = (): IssuerOptions => ({ issuer: published.issuer, audience, jwksUri: published.jwksUri })
    const found = new ScriptedResolver(find)
    t.after(() => found.issuers.close())
    const verifier = (await found
      .named(published.issuer)!
      .verifierFor({ alg: 'ES256', kid: published.key.jwk.kid })) as KeyVerifier
    t.assert.ok(verifier.freshUntil > 0)
    audience = 'web'
    found.named(published.issuer, interval)
    t.assert.equal(verifier.freshUntil, -Infinity)
  })

  test('is known at once where the function is asynchronous, from its first answer on', async (t) => {
    const found = new ScriptedResolver(async (iss) => options(iss))
    const first = await found.issuers.resolve('a')
    t.assert.equal(found.named('a'), first)
    t.assert.equal(found.newlyAsked(), 1)
  })

  test('is asked for once by all who ask at the same time', async (t) => {
    const answers: (() => void)[] = []
    const found = new ScriptedResolver(
      (iss) => new Promise((resolve) => void answers.push(() => resolve(options(iss)))),
    )
    const ask = async (iss: string): Promise<Issuer | undefined> => found.issuers.resolve(iss)
    const both = [Array.from({ length: 100 }, () => ask('a')), Array.from({ length: 100 }, () => ask('b'))]
    t.assert.deepEqual(found.asked, ['a', 'b'])
    for (const answer of answers) answer()
    const [a, b] = await Promise.all(both.map((asking) => Promise.all(asking)))
    t.assert.deepEqual([new Set(a).size, new Set(b).size], [1, 1])
    t.assert.notEqual(a![0], b![0])
    t.assert.deepEqual(found.asked, ['a', 'b'])
  })

  test('counts from when it was asked for, however long the answer takes', async (t) => {
    let answer = (): void => {}
    const found = new ScriptedResolver(
      (iss) => new Promise((resolve) => (answer = () => resolve(options(iss)))),
    )
    const asking = found.issuers.resolve('a')
    found.time = interval - 1
    answer()
    await asking
    t.assert.notEqual(found.named('a'), undefined)
    found.time = interval
    const again = found.issuers.resolve('a')
    t.assert.equal(again instanceof Promise, true)
    answer()
    await again
  })

  const long = 'a shared secret of 48 characters, for two hashes'
  const changes: [title: string, before: Partial<IssuerOptions>, after: Partial<IssuerOptions>][] = [
    ['audience', {}, { audience: ['api', 'web'] }],
    ['algorithms', { secret: long }, { secret: long, algorithms: ['HS384'] }],
    ['clockTolerance', {}, { clockTolerance: 1 }],
    ['claims', { claims: { a: 1 } }, { claims: { a: '1' } }],
    ['claims, of which one is gone', { claims: { a: 1 } }, {}],
    ['maxTokenAge', {}, { maxTokenAge: 1 }],
    ['requiredClaims', {}, { requiredClaims: ['sub'] }],
    ['profile', {}, { profile: 'rfc9068' }],
    ['secret', {}, { secret: 'another secret, of 32 characters' }],
    ['secret for keys', {}, { secret: undefined, jwksUri: 'https://keys.example' } as never],
  ]
  for (const [title, before, after] of changes) {
    test(`is made anew where the answer is another one: ${title}`, (t) => {
      let others = before
      const found = new ScriptedResolver((iss) => options(iss, others))
      const first = found.named('a')
      others = after
      const second = found.named('a', interval)
      t.assert.notEqual(second, undefined)
      t.assert.notEqual(second, first)
      t.assert.equal(found.named('a', 2 * interval), second)
    })
  }

  test('is made anew where the keys are elsewhere', (t) => {
    let jwksUri = 'https://keys.example/a'
    const found = new ScriptedResolver((iss) => ({ issuer: iss, audience: 'api', jwksUri }))
    const first = found.named('a')
    t.assert.equal(found.named('a', interval), first)
    jwksUri = 'https://keys.example/b'
    t.assert.notEqual(found.named('a', 2 * interval), first)
  })

  test('stays where the answer says the same in other words', (t) => {
    let other: IssuerOptions = { domain: 'tenant.example', audience: 'api', algorithms: ['EdDSA', 'ES256'] }
    const found = new ScriptedResolver(() => other)
    const first = found.named('https://tenant.example/')
    other = {
      issuer: 'https://tenant.example/',
      jwksUri: 'https://tenant.example/.well-known/jwks.json',
      audience: ['api'],
      algorithms: ['ES256', 'Ed25519'],
      clockTolerance: 5_000,
    }
    t.assert.equal(found.named('https://tenant.example/', interval), first)
  })

  test('stays where the lists of the answer are in another order', (t) => {
    const lists = {
      audience: ['api', 'web'],
      requiredClaims: ['a', 'b'],
      claims: { c: ['d', 'e'], f: { g: ['h', 'i'] } },
    }
    const turned = {
      audience: ['web', 'api'],
      requiredClaims: ['b', 'a'],
      claims: { c: ['e', 'd'], f: { g: ['i', 'h'] } },
    }
    let others = lists
    const found = new ScriptedResolver((iss) => options(iss, others))
    const first = found.named('a')
    others = turned
    t.assert.equal(found.named('a', interval), first)
    others = { ...turned, claims: { c: ['e', 'd'], f: { g: ['i'] } } }
    t.assert.notEqual(found.named('a', 2 * interval), first)
  })

  test('is made anew where the one object that the function always returns was changed', (t) => {
    const one = { issuer: 'a', audience: ['api'], secret: 'a shared secret of 32 characters' }
    const found = new ScriptedResolver(() => one)
    const first = found.named('a')
    one.audience.push('web')
    t.assert.deepEqual(audienceOf(first), ['api'])
    t.assert.deepEqual(audienceOf(found.named('a', interval)), ['api', 'web'])
  })

  test('leaves when 10,000 others were used since', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    const first = found.named('first')
    const second = found.named('second')
    for (let index = 0; index < 9_998; index += 1) found.named(`another ${index}`)
    found.named('first')
    t.assert.equal(found.issuers.has('second'), true)
    found.named('one more')
    t.assert.equal(found.issuers.has('second'), false)
    t.assert.equal(found.newlyAsked(), 10_001)
    t.assert.equal(found.named('first'), first)
    t.assert.equal(found.newlyAsked(), 0)
    t.assert.notEqual(found.named('second'), second)
    t.assert.equal(found.issuers.known().length, 10_000)
  })
})

suite('an issuer that a function does not know', () => {
  test('is asked for once in a cooldown', (t) => {
    const found = new ScriptedResolver(() => undefined)
    for (const time of [0, 1, cooldown - 1]) t.assert.equal(found.named('a', time), undefined)
    t.assert.equal(found.newlyAsked(), 1)
    found.named('a', cooldown)
    t.assert.equal(found.newlyAsked(), 1)
  })

  test('is known within one cooldown once the function knows it', (t) => {
    const tenants = new Set<string>()
    const found = new ScriptedResolver((iss) => (tenants.has(iss) ? options(iss) : undefined))
    found.named('a')
    tenants.add('a')
    t.assert.equal(found.named('a', cooldown - 1), undefined)
    t.assert.notEqual(found.named('a', cooldown), undefined)
  })

  test('is asked for each time with a cooldown of 0', (t) => {
    const found = new ScriptedResolver(() => undefined, { jwks: { cooldown: 0 } })
    for (let time = 0; time < 3; time += 1) found.named('a')
    t.assert.equal(found.newlyAsked(), 3)
  })

  test('any more is forgotten at the end of the interval, and may come back', (t) => {
    const tenants = new Set(['a'])
    const found = new ScriptedResolver((iss) => (tenants.has(iss) ? options(iss) : undefined))
    const first = found.named('a')
    tenants.clear()
    t.assert.equal(found.named('a', interval - 1), first)
    t.assert.equal(found.named('a', interval), undefined)
    t.assert.equal(found.issuers.has('a'), false)
    tenants.add('a')
    t.assert.notEqual(found.named('a', interval + cooldown), undefined)
    t.assert.notEqual(found.named('a'), first)
  })

  const strange = ['a\ud800', 'a\u0000', 'a\n', 'a\u0085']
  for (const iss of [
    undefined,
    null,
    '',
    5,
    true,
    {},
    ['a'],
    { toString: () => 'a' },
    'a'.repeat(1_025),
    ...strange,
  ]) {
    test(`is not asked for: ${JSON.stringify(iss)?.slice(0, 20)}`, (t) => {
      const found = new ScriptedResolver((name) => options(name))
      t.assert.equal(found.named(iss), undefined)
      t.assert.deepEqual(found.asked, [])
    })
  }

  test('is asked for by a name of 1,024 characters', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    t.assert.notEqual(found.named('a'.repeat(1_024)), undefined)
  })

  test('is one of 10,000 that are remembered, and pushes out none that it knows', (t) => {
    const found = new ScriptedResolver((iss) => (iss === 'tenant' ? options(iss) : undefined))
    const tenant = found.named('tenant')
    for (let index = 0; index < 10_001; index += 1) found.named(`nobody ${index}`)
    t.assert.equal(found.newlyAsked(), 10_002)
    t.assert.equal(found.named('tenant'), tenant)
    for (let index = 10_000; index > 0; index -= 1) found.named(`nobody ${index}`)
    t.assert.equal(found.newlyAsked(), 0)
    found.named('nobody 0')
    t.assert.equal(found.newlyAsked(), 1)
  })

  test('is remembered within a mebi of characters', (t) => {
    const found = new ScriptedResolver(() => undefined)
    const name = (index: number): string => String(index).padStart(1_024, 'x')
    for (let index = 0; index < 1_025; index += 1) found.named(name(index))
    t.assert.equal(found.newlyAsked(), 1_025)
    for (let index = 1_024; index > 0; index -= 1) found.named(name(index))
    t.assert.equal(found.newlyAsked(), 0)
    found.named(name(0))
    t.assert.equal(found.newlyAsked(), 1)
  })
})

suite('a function that fails', () => {
  const mine = new Error('mine')
  const failing: [title: string, fail: () => never | Promise<never>][] = [
    [
      'throws',
      () => {
        throw mine
      },
    ],
    ['rejects', async () => Promise.reject(mine)],
  ]
  for (const [title, fail] of failing) {
    test(`${title}: its error is handed on and nothing is remembered`, async (t) => {
      let isFailing = true
      const found = new ScriptedResolver((iss) => (isFailing ? fail() : options(iss)))
      const ask = async (): Promise<Issuer | undefined> => found.issuers.resolve('a')
      const failure = (error: unknown): boolean =>
        error instanceof IssuerResolverError && error.cause === mine
      await t.assert.rejects(ask, failure)
      await t.assert.rejects(ask, failure)
      t.assert.equal(found.newlyAsked(), 2)
      isFailing = false
      const issuer = await ask()
      isFailing = true
      t.assert.equal(await ask(), issuer)
      found.time = interval
      await t.assert.rejects(ask, failure)
      isFailing = false
      t.assert.equal(await ask(), issuer)
    })
  }
})

suite('a function that does not answer', () => {
  const unavailable = { name: 'JwksAuthError', code: 'jwks_unavailable', retryAfter: 1 }

  test('is waited for as long as a look-up may take, and asked again', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let isAnswering = false
    const found = new ScriptedResolver(
      async (iss) => (isAnswering ? options(iss) : new Promise<never>(() => {})),
      {
        jwks: { timeout: 1_000 },
      },
    )
    const asking = Promise.resolve(found.issuers.resolve('a'))
    t.mock.timers.tick(999)
    isAnswering = true
    const waiting = found.issuers.resolve('a')
    t.assert.equal(found.newlyAsked(), 1)
    t.mock.timers.tick(1)
    for (const asked of [asking, waiting]) await t.assert.rejects(Promise.resolve(asked), unavailable)
    t.assert.notEqual(await found.issuers.resolve('a'), undefined)
  })

  test('is waited for no longer when the server closes', async (t) => {
    // The deadline never comes.
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const found = new ScriptedResolver(() => new Promise<never>(() => {}))
    const asking = Promise.resolve(found.issuers.resolve('a'))
    found.issuers.close()
    await t.assert.rejects(asking, unavailable)
  })
})

test('an issuer that is found while the server closes fetches nothing', async (t) => {
  await using issuer = await LocalIssuer.start()
  const found = new ScriptedResolver((iss) => ({ issuer: iss, audience: 'api' }))
  found.issuers.close()
  const late = found.named(issuer.issuer)!
  const { alg, kid } = issuer.key.jwk
  await t.assert.rejects(async () => late.verifierFor({ alg, kid }), { code: 'jwks_unavailable' })
  t.assert.deepEqual(issuer.requests, [])
})

test('a function is called on nothing of the plugin', (t) => {
  const found = new ScriptedResolver(() => undefined)
  found.named('a')
  t.assert.deepEqual(found.calledOn, [undefined])
})

suite('options that a function should not return', () => {
  const wrong: [options: unknown, message: string][] = [
    [true, 'issuers(iss)" must be a plain object'],
    ['a', 'issuers(iss)" must be a plain object'],
    [{}, 'issuers(iss).issuer" is required (or "domain", for an Auth0 tenant)'],
    [{ issuer: 'https://a.example' }, 'issuers(iss).audience" is required: '],
    [
      { issuer: 'http://a.example', audience: 'api' },
      'issuers(iss).issuer" must be an https URL without credentials (http only on loopback or with allowInsecureIssuers: true)',
    ],
    [{ issuer: 'a', audience: 'api', secret: 'short' }, 'issuers(iss).secret" must have at least 32 bytes'],
    [{ issuer: 'https://a.example', audience: 'api', realm: 'api' }, 'issuers(iss).realm" is unknown'],
  ]
  for (const [returned, message] of wrong) {
    test(`${JSON.stringify(returned)} is as good as none, and one line says what is wrong`, async (t) => {
      for (const find of [() => returned as never, async () => returned as never]) {
        const found = new ScriptedResolver(find)
        for (const iss of ['a', 'b', 'a']) t.assert.equal(await found.issuers.resolve(iss), undefined)
        t.assert.equal(found.newlyAsked(), 2)
        t.assert.equal(found.messages.length, 1)
        const [line] = found.messages
        t.assert.equal(line!.startsWith(`fastify-jwks-auth: option "${message}`), true, line)
        t.assert.equal(line!.endsWith('; tokens of that issuer are refused'), true, line)
      }
    })
  }

  test('are told of in twenty lines at most', (t) => {
    const found = new ScriptedResolver((iss) => ({ [iss]: true }) as never)
    for (let index = 0; index < 30; index += 1) found.named(`option ${index}`)
    t.assert.equal(found.messages.length, 20)
  })

  test('an issuer by http is right with allowInsecureIssuers', (t) => {
    const found = new ScriptedResolver((iss) => ({ issuer: iss, audience: 'api' }), {
      allowInsecureIssuers: true,
    })
    t.assert.notEqual(found.named('http://a.example'), undefined)
  })

  test('those of another issuer are as good as none, and one line tells of them', (t) => {
    const found = new ScriptedResolver(() => options('always the same'))
    for (const iss of ['a', 'b', 'Always the same', 'always the same/'])
      t.assert.equal(found.named(iss), undefined)
    t.assert.notEqual(found.named('always the same'), undefined)
    t.assert.deepEqual(found.lines, [{ issuer: 'always the same' }])
    found.newlyAsked()
    found.named('a', cooldown - 1)
    t.assert.equal(found.newlyAsked(), 0)
    found.named('a', cooldown)
    t.assert.equal(found.newlyAsked(), 1)
  })

  test('null is as good as undefined', (t) => {
    const found = new ScriptedResolver(() => null as never)
    t.assert.equal(found.named('a'), undefined)
  })
})
