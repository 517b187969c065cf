import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import type { AuthorizeOptions, JwksAuthOptions } from '../../../lib/index.ts'
import { refusals } from '../../../lib/errors.ts'
import { refusedHeaders, refusedTokens, unreadableTokens } from '../../helpers/answers.ts'
import { call, createApp, verdict } from '../../helpers/app.ts'
import { createKeyPair, sign, LocalIssuer, type TokenParts } from '../../helpers/issuer.ts'
import { docs } from './documents.ts'

// Each row of the table in docs/answers.md is provoked. A refusal of lib/errors.ts without a row, or a row that nothing here
// provokes, fails.

const cells = /^\| (.+?) +\| (\d{3}) +\| `(\w+)` +\| (?:`(.+?)`|none) +\| (.+?) +\| (.+?) +\|$/gm
const rows = Array.from(
  readFileSync(join(docs, 'answers.md'), 'utf8').matchAll(cells),
  ([, title, status, code, challenge, message, reason]) => ({
    title: title!,
    answer: { status: Number(status), code, message, challenge },
    reason: reason!,
  }),
)

type Provoke = (issuer: LocalIssuer) => Promise<LightMyRequestResponse>

const provocations: Record<string, Provoke> = {
  'no Authorization header, or an empty one': header('none'),
  'another scheme than Bearer': header('another scheme'),
  '`Bearer` and no token': header('Bearer alone'),
  '`Bearer` and more than a token': header('three parts'),
  'not a JWT': unreadable('an opaque token'),
  'a `crit` header': unreadable('an unknown crit'),
  'another `iss`, or none': token('of another issuer'),
  'an algorithm that isn’t allowed, `none`, HS256 where keys are published': token(
    'with an algorithm that is not allowed',
  ),
  'no `kid`, or one that the issuer has no key for': token('with an unknown kid'),
  'a signature by another key': async (issuer) => {
    const stranger = await createKeyPair('ES256', issuer.key.jwk.kid)
    return ask(issuer, await sign(stranger, issuer.claims()))
  },
  'the `typ` of another kind of JWT': token('of another kind'),
  'a claim that is missing or mistyped': token('without exp'),
  '`exp` has passed': token('that has expired'),
  '`nbf` lies ahead': token('that is not active yet'),
  'older than `maxTokenAge`': token('that is too old'),
  'another audience': token('for another audience'),
  'another value of one of `claims`': token('with another value of a claim'),
  '`isRevoked` says so': async (issuer) => ask(issuer, await issuer.token(), { isRevoked: () => true }),
  '`authorize` finds a scope missing': rule({ scope: 'read:ping' }),
  '`authorize` finds a claim missing, or `check` says no': rule({ check: () => false }),
  '`authorize` finds that the user has to authenticate otherwise, or anew': rule({
    acr: 'urn:acme:mfa',
    maxAuthAge: 300_000,
  }),
  'the issuer can’t be reached and no usable key of it is known': async (issuer) => {
    issuer.on('/jwks', (_request, response) => response.destroy())
    return ask(issuer, await issuer.token())
  },
}

suite('the answers of the table', () => {
  for (const { title, answer } of rows) {
    test(title, async (t: TestContext) => {
      await using issuer = await LocalIssuer.start()
      const provoke = provocations[title.replaceAll("'", '’')]
      if (!provoke) throw new Error('nothing provokes it')
      const response = await provoke(issuer)
      t.assert.deepEqual(verdict(response), answer)
      t.assert.equal(response.headers['retry-after'], answer.status === 503 ? '1' : undefined)
    })
  }
})

test('the table has a row for every case, and none twice', (t) => {
  const titles = rows.map(({ title }) => title.replaceAll("'", '’'))
  t.assert.deepEqual(titles.toSorted(), Object.keys(provocations).toSorted())
})

test('the table has every code and every refusal of the code', (t) => {
  const source = readFileSync(join(docs, '../lib/errors.ts'), 'utf8')
  const [, union] = /type JwksAuthErrorCode =([^]+?)\n\n/.exec(source)!
  const codes = Array.from(union!.matchAll(/'(\w+)'/g), ([, code]) => code)
  t.assert.deepEqual(new Set(rows.map(({ answer }) => answer.code)), new Set(codes))
  for (const { code, message, statusCode, challengeError } of Object.values(refusals)) {
    const challenge = `Bearer realm="api"${challengeError ? `, error="${challengeError}"` : ''}`
    const has = rows.some(
      ({ answer }) =>
        answer.code === code &&
        answer.message === message &&
        answer.status === statusCode &&
        answer.challenge === challenge,
    )
    t.assert.equal(has, true, message)
  }
})

async function ask(
  issuer: LocalIssuer,
  bearer: string,
  options: Partial<JwksAuthOptions> = {},
): Promise<LightMyRequestResponse> {
  const app = await createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
  const response = await call(app, bearer)
  await app.close()
  return response
}

function header(title: string): Provoke {
  const [, authorization] = refusedHeaders.find(([name]) => name === title)!
  return async (issuer) => {
    const app = await createApp({ issuer: issuer.issuer, audience: 'api' })
    const response = await app.inject({
      url: '/secured',
      headers: authorization === undefined ? {} : { authorization },
    })
    await app.close()
    return response
  }
}

function unreadable(title: string): Provoke {
  const [, bearer] = unreadableTokens.find(([name]) => name === title)!
  return async (issuer) => ask(issuer, bearer)
}

function token(title: string): Provoke {
  const [, parts, , , options]: [string, TokenParts, string, string, Partial<JwksAuthOptions>?] =
    refusedTokens.find(([name]) => name === title)!
  return async (issuer) => ask(issuer, await issuer.token(parts), options)
}

function rule(demand: AuthorizeOptions): Provoke {
  return async (issuer) => {
    const app = await createApp({ issuer: issuer.issuer, audience: 'api' })
    app.get('/ruled', { onRequest: app.authorize(demand) }, async () => 'in')
    const response = await call(app, await issuer.token(), '/ruled')
    await app.close()
    return response
  }
}
