import { suite, test, type TestContext } from 'node:test'
import { SignJWT } from 'jose'
import type { ResolveIssuer, IssuerOptions } from '../../../lib/index.ts'
import type { Issuer } from '../../../lib/issuers/issuer.ts'
import { readPluginOptions } from '../../../lib/options/plugin-options.ts'
import {
  IssuerResolverError,
  createIssuerResolver,
  type IssuerResolver,
} from '../../../lib/issuers/issuer-resolver.ts'
import type { KeyVerifier } from '../../../lib/issuers/key-source.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

const secret = 'a shared secret of 32 characters'

/** Options that a resolver returns. The issuer has a shared secret, so nothing is fetched. */
function options(issuer: string, others: Partial<IssuerOptions> = {}): IssuerOptions {
  return { issuer, audience: 'api', secret, ...others } as IssuerOptions
}

/** An issuer resolver whose clock the test sets. */
class ScriptedResolver {
  time = 0
  readonly calls: string[] = []
  /** The `this` value of each call. */
  readonly calledOn: unknown[] = []
  readonly lines: object[] = []
  readonly messages: string[] = []
  readonly issuers: IssuerResolver

  constructor(find: ResolveIssuer, others: object = {}) {
    const { calls, calledOn } = this
    const resolve = function (this: unknown, iss: string): ReturnType<ResolveIssuer> {
      calls.push(iss)
      calledOn.push(this)
      return find(iss)
    }
    const settings = readPluginOptions({ issuers: resolve, ...others })
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

  /** The issuer, which must be available without waiting. */
  named(iss: unknown, time: number = this.time): Issuer | undefined {
    this.time = time
    const issuer = this.issuers.resolve(iss)
    if (issuer instanceof Promise) throw new TypeError('the result is a promise')
    return issuer
  }

  /** The number of calls of the resolver since the last call of this method. */
  newCalls(): number {
    return this.calls.splice(0).length
  }
}

const interval = 300_000
const cooldown = 10_000

/** A token that is signed with the secret of the options. */
const token = await new SignJWT().setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret))

/** The verifier for tokens of an issuer. */
function verifierOf(issuer: Issuer | undefined): KeyVerifier {
  return issuer!.verify(token, { alg: 'HS256' }, undefined) as KeyVerifier
}

function audienceOf(issuer: Issuer | undefined): unknown {
  return verifierOf(issuer).rules.audience
}

suite('an issuer that a resolver knows', () => {
  test('a known issuer is resolved once in each refresh interval and stays the same object', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    const first = found.named('a')
    t.assert.notEqual(first, undefined)
    t.assert.equal(found.named('a', interval - 1), first)
    t.assert.equal(found.newCalls(), 1)
    t.assert.equal(found.named('a', interval), first)
    t.assert.equal(found.named('a', 2 * interval - 1), first)
    t.assert.equal(found.newCalls(), 1)
  })

  test('verifiers of a resolved issuer are fresh until the next call of the resolver', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    t.assert.equal(verifierOf(found.named('a', 5)).freshUntil, 5 + interval)
    t.assert.equal(verifierOf(found.named('a', 100)).freshUntil, 5 + interval)
    t.assert.equal(verifierOf(found.named('a', 5 + interval)).freshUntil, 5 + 2 * interval)
  })

  test('a replaced or removed issuer has no fresh verifier', (t) => {
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

  test('options that throw while they are read count as an unknown issuer, even if they throw null', (t) => {
    const thrown = (): never => {
      throw null
    }
    const found = new ScriptedResolver(() =>
      Object.defineProperty(options('a'), 'issuer', { get: thrown, enumerable: true }),
    )
    t.assert.equal(found.named('a'), undefined)
    t.assert.match(found.messages[0]!, /returned options that throw/)
  })

  test('a known issuer stays known after closing, without another call of the resolver', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    const issuer = found.named('a')
    found.issuers.close()
    t.assert.equal(found.named('a', 1), issuer)
    t.assert.equal(verifierOf(issuer).freshUntil, interval)
    t.assert.equal(found.newCalls(), 1)
  })

  test('a replaced issuer with published keys has no fresh verifier', async (t: TestContext) => {
    await using published = await LocalIssuer.start()
    let audience = 'api'
    const find = (): IssuerOptions => ({ issuer: published.issuer, audience, jwksUri: published.jwksUri })
    const found = new ScriptedResolver(find)
    t.after(() => found.issuers.close())
    const verifier = (await found
      .named(published.issuer)!
      .verify(
        await published.token(),
        { alg: 'ES256', kid: published.key.jwk.kid },
        undefined,
      )) as KeyVerifier
    t.assert.ok(verifier.freshUntil > 0)
    audience = 'web'
    found.named(published.issuer, interval)
    t.assert.equal(verifier.freshUntil, -Infinity)
  })

  test('an issuer of an asynchronous resolver is available without waiting after the first answer', async (t) => {
    const found = new ScriptedResolver(async (iss) => options(iss))
    const first = await found.issuers.resolve('a')
    t.assert.equal(found.named('a'), first)
    t.assert.equal(found.newCalls(), 1)
  })

  test('simultaneous requests for one issuer share one call of the resolver', async (t) => {
    const answers: (() => void)[] = []
    const found = new ScriptedResolver(
      (iss) => new Promise((resolve) => void answers.push(() => resolve(options(iss)))),
    )
    const ask = async (iss: string): Promise<Issuer | undefined> => found.issuers.resolve(iss)
    const both = [Array.from({ length: 100 }, () => ask('a')), Array.from({ length: 100 }, () => ask('b'))]
    t.assert.deepEqual(found.calls, ['a', 'b'])
    for (const answer of answers) answer()
    const [a, b] = await Promise.all(both.map((asking) => Promise.all(asking)))
    t.assert.deepEqual([new Set(a).size, new Set(b).size], [1, 1])
    t.assert.notEqual(a![0], b![0])
    t.assert.deepEqual(found.calls, ['a', 'b'])
  })

  test('the refresh interval of an issuer counts from the call of the resolver', async (t) => {
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
    ['a removed claim', { claims: { a: 1 } }, {}],
    ['maxTokenAge', {}, { maxTokenAge: 1 }],
    ['requiredClaims', {}, { requiredClaims: ['sub'] }],
    ['profile', {}, { profile: 'rfc9068' }],
    ['secret', {}, { secret: 'another secret, of 32 characters' }],
    ['secret for keys', {}, { secret: undefined, jwksUri: 'https://keys.example' } as never],
  ]
  for (const [title, before, after] of changes) {
    test(`an issuer is replaced if its options change: ${title}`, (t) => {
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

  const [a, b, c] = ['https://id.example/a', 'https://id.example/b', 'https://id.example/c'] as const
  for (const [title, before, after] of [
    ['jwksUri', { jwksUri: a }, { jwksUri: b }],
    ['a list of JWK Sets', { jwksUri: [a, b] }, { jwksUri: [a, c] }],
    ['metadataUrl', { metadataUrl: a }, { metadataUrl: b }],
    ['allowInsecureIssuers', {}, { allowInsecureIssuers: true }],
  ] as const) {
    test(`an issuer is replaced if the place of its keys changes: ${title}`, (t) => {
      let keys: object = before
      const found = new ScriptedResolver(
        (iss) => ({ issuer: iss, audience: 'api', ...keys }) as IssuerOptions,
      )
      const first = found.named('https://id.example')
      t.assert.equal(found.named('https://id.example', interval), first)
      keys = after
      t.assert.notEqual(found.named('https://id.example', 2 * interval), first)
    })
  }

  test('an issuer is kept if new options have the same meaning', (t) => {
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

  test('an issuer is kept if only the order of its JWK Sets changes', (t) => {
    let jwksUri: readonly string[] = [a, b]
    const found = new ScriptedResolver((iss) => ({ issuer: iss, audience: 'api', jwksUri }))
    const first = found.named('a')
    jwksUri = [b, a]
    t.assert.equal(found.named('a', interval), first)
  })

  test('an issuer is kept if only the order of its lists changes', (t) => {
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

  test('an issuer is replaced if the resolver changes the object that it always returns', (t) => {
    const one = { issuer: 'a', audience: ['api'], secret: 'a shared secret of 32 characters' }
    const found = new ScriptedResolver(() => one)
    const first = found.named('a')
    one.audience.push('web')
    t.assert.deepEqual(audienceOf(first), ['api'])
    t.assert.deepEqual(audienceOf(found.named('a', interval)), ['api', 'web'])
  })

  test('a known issuer is evicted after 10,000 other issuers were used', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    const first = found.named('first')
    const second = found.named('second')
    for (let index = 0; index < 9_998; index += 1) found.named(`another ${index}`)
    found.named('first')
    t.assert.equal(found.issuers.has('second'), true)
    found.named('one more')
    t.assert.equal(found.issuers.has('second'), false)
    t.assert.equal(found.newCalls(), 10_001)
    t.assert.equal(found.named('first'), first)
    t.assert.equal(found.newCalls(), 0)
    t.assert.notEqual(found.named('second'), second)
    t.assert.equal(found.issuers.known().length, 10_000)
  })
})

suite('an issuer that a resolver does not know', () => {
  test('an unknown issuer is resolved once in each cooldown', (t) => {
    const found = new ScriptedResolver(() => undefined)
    for (const time of [0, 1, cooldown - 1]) t.assert.equal(found.named('a', time), undefined)
    t.assert.equal(found.newCalls(), 1)
    found.named('a', cooldown)
    t.assert.equal(found.newCalls(), 1)
  })

  test('a new issuer works within one cooldown', (t) => {
    const tenants = new Set<string>()
    const found = new ScriptedResolver((iss) => (tenants.has(iss) ? options(iss) : undefined))
    found.named('a')
    tenants.add('a')
    t.assert.equal(found.named('a', cooldown - 1), undefined)
    t.assert.notEqual(found.named('a', cooldown), undefined)
  })

  test('an unknown issuer is resolved for each request if the cooldown is 0', (t) => {
    const found = new ScriptedResolver(() => undefined, { jwks: { cooldown: 0 } })
    for (let time = 0; time < 3; time += 1) found.named('a')
    t.assert.equal(found.newCalls(), 3)
  })

  test('a removed issuer is refused at the end of the refresh interval and may return', (t) => {
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

  const invalidText = ['a\ud800', 'a\u0000', 'a\n', 'a\u0085']
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
    ...invalidText,
  ]) {
    test(`the resolver is not called for an invalid iss: ${JSON.stringify(iss)?.slice(0, 20)}`, (t) => {
      const found = new ScriptedResolver((name) => options(name))
      t.assert.equal(found.named(iss), undefined)
      t.assert.deepEqual(found.calls, [])
    })
  }

  test('the resolver is called for an iss of 1,024 characters', (t) => {
    const found = new ScriptedResolver((iss) => options(iss))
    t.assert.notEqual(found.named('a'.repeat(1_024)), undefined)
  })

  test('the last 10,000 unknown issuers are remembered, and they evict no known issuer', (t) => {
    const found = new ScriptedResolver((iss) => (iss === 'tenant' ? options(iss) : undefined))
    const tenant = found.named('tenant')
    for (let index = 0; index < 10_001; index += 1) found.named(`unknown ${index}`)
    t.assert.equal(found.newCalls(), 10_002)
    t.assert.equal(found.named('tenant'), tenant)
    for (let index = 10_000; index > 0; index -= 1) found.named(`unknown ${index}`)
    t.assert.equal(found.newCalls(), 0)
    found.named('unknown 0')
    t.assert.equal(found.newCalls(), 1)
  })

  test('unknown issuers are remembered up to 1,048,576 characters in total', (t) => {
    const found = new ScriptedResolver(() => undefined)
    const name = (index: number): string => String(index).padStart(1_024, 'x')
    for (let index = 0; index < 1_025; index += 1) found.named(name(index))
    t.assert.equal(found.newCalls(), 1_025)
    for (let index = 1_024; index > 0; index -= 1) found.named(name(index))
    t.assert.equal(found.newCalls(), 0)
    found.named(name(0))
    t.assert.equal(found.newCalls(), 1)
  })
})

suite('a resolver that fails', () => {
  const cause = new Error('resolver failed')
  const failing: [title: string, fail: () => never | Promise<never>][] = [
    [
      'throws',
      () => {
        throw cause
      },
    ],
    ['rejects', async () => Promise.reject(cause)],
  ]
  for (const [title, fail] of failing) {
    test(`the error of a resolver that ${title} is passed on, and no result is remembered`, async (t) => {
      let isFailing = true
      const found = new ScriptedResolver((iss) => (isFailing ? fail() : options(iss)))
      const ask = async (): Promise<Issuer | undefined> => found.issuers.resolve('a')
      const failure = (error: unknown): boolean =>
        error instanceof IssuerResolverError && error.cause === cause
      await t.assert.rejects(ask, failure)
      await t.assert.rejects(ask, failure)
      t.assert.equal(found.newCalls(), 2)
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

suite('a resolver that does not answer', () => {
  const unavailable = { name: 'JwksAuthError', code: 'jwks_unavailable', retryAfter: 1 }

  test('a resolver without an answer ends with jwks.timeout, and the next request calls it again', async (t) => {
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
    t.assert.equal(found.newCalls(), 1)
    t.mock.timers.tick(1)
    for (const pending of [asking, waiting]) await t.assert.rejects(Promise.resolve(pending), unavailable)
    t.assert.notEqual(await found.issuers.resolve('a'), undefined)
  })

  test('closing ends the wait for a resolver', async (t) => {
    // The timeout never fires.
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const found = new ScriptedResolver(() => new Promise<never>(() => {}))
    const asking = Promise.resolve(found.issuers.resolve('a'))
    found.issuers.close()
    await t.assert.rejects(asking, unavailable)
  })
})

test('an issuer that is resolved after closing fetches nothing', async (t) => {
  await using issuer = await LocalIssuer.start()
  const found = new ScriptedResolver((iss) => ({ issuer: iss, audience: 'api' }))
  found.issuers.close()
  const late = found.named(issuer.issuer)!
  const { alg, kid } = issuer.key.jwk
  await t.assert.rejects(async () => late.verify('', { alg, kid }, undefined), { code: 'jwks_unavailable' })
  t.assert.deepEqual(issuer.requests, [])
})

test('a resolver is called without a this value', (t) => {
  const found = new ScriptedResolver(() => undefined)
  found.named('a')
  t.assert.deepEqual(found.calledOn, [undefined])
})

suite('invalid options from a resolver', () => {
  const invalid: [options: unknown, message: string][] = [
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
  for (const [returned, message] of invalid) {
    test(`the result ${JSON.stringify(returned)} counts as an unknown issuer, and its fault is logged once`, async (t) => {
      for (const find of [() => returned as never, async () => returned as never]) {
        const found = new ScriptedResolver(find)
        for (const iss of ['a', 'b', 'a']) t.assert.equal(await found.issuers.resolve(iss), undefined)
        t.assert.equal(found.newCalls(), 2)
        t.assert.equal(found.messages.length, 1)
        const [line] = found.messages
        t.assert.equal(line!.startsWith(`fastify-jwks-auth: option "${message}`), true, line)
        t.assert.equal(line!.endsWith('; tokens of that issuer are refused'), true, line)
      }
    })
  }

  test('invalid options from a resolver are logged at most twenty times', (t) => {
    const found = new ScriptedResolver((iss) => ({ [iss]: true }) as never)
    for (let index = 0; index < 30; index += 1) found.named(`option ${index}`)
    t.assert.equal(found.messages.length, 20)
  })

  test('a resolver may return an http issuer with allowInsecureIssuers', (t) => {
    const found = new ScriptedResolver((iss) => ({ issuer: iss, audience: 'api' }), {
      allowInsecureIssuers: true,
    })
    t.assert.notEqual(found.named('http://a.example'), undefined)
  })

  test('options of another issuer count as an unknown issuer and are logged once', (t) => {
    const found = new ScriptedResolver(() => options('always the same'))
    for (const iss of ['a', 'b', 'Always the same', 'always the same/'])
      t.assert.equal(found.named(iss), undefined)
    t.assert.notEqual(found.named('always the same'), undefined)
    t.assert.deepEqual(found.lines, [{ issuer: 'always the same' }])
    found.newCalls()
    found.named('a', cooldown - 1)
    t.assert.equal(found.newCalls(), 0)
    found.named('a', cooldown)
    t.assert.equal(found.newCalls(), 1)
  })

  test('the result null counts as an unknown issuer', (t) => {
    const found = new ScriptedResolver(() => null as never)
    t.assert.equal(found.named('a'), undefined)
  })
})
