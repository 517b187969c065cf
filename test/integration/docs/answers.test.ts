import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import jwksAuth, { type AuthorizeOptions, type JwksAuthOptions } from '../../../lib/index.ts'
import { refusals } from '../../../lib/errors.ts'
import { call, createApp, readAnswer } from '../../helpers/app.ts'
import { baseUrl, client, url } from '../../helpers/dpop.ts'
import {
  createKeyPair,
  LocalIssuer,
  now,
  sign,
  unsignedToken,
  type TokenParts,
} from '../../helpers/issuer.ts'
import { docs } from './documents.ts'

/**
 * The table of docs/answers.md. Each row is provoked in at least one way, and each answer is compared with the row. A refusal of
 * lib/errors.ts without a row fails, and so does a row that nothing here provokes.
 */

const cells = /^\| (.+?) +\| (\d{3}) +\| `(\w+)` +\| (?:`(.+?)`|none) +\| (.+?) +\| (.+?) +\|$/gm
const rows = Array.from(
  readFileSync(join(docs, 'answers.md'), 'utf8').matchAll(cells),
  ([, title, status, code, challenge, message]) => ({
    title: title!.replaceAll("'", '’'),
    answer: { status: Number(status), code, message, challenge },
  }),
)

const issuer = await LocalIssuer.start()
const app = await createAppWith({})
after(() => Promise.all([app.close(), issuer.close()]))

async function createAppWith(options: Partial<JwksAuthOptions>): Promise<FastifyInstance> {
  return createApp({ issuer: issuer.issuer, audience: 'api', ...options } as JwksAuthOptions)
}

/** Lists within each other. */
function nested(depth: number): unknown[] {
  return JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown[]
}

type Provoke = () => Promise<LightMyRequestResponse>

const object = Buffer.from('{}').toString('base64url')
const notUtf8 = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')

/** By the case of a row: what provokes its answer. */
const provocations: Record<string, Record<string, Provoke>> = {
  'no Authorization header, or an empty one': {
    'a request without an Authorization header': header(undefined),
    'a request with an empty Authorization header': header(''),
  },
  'another scheme than Bearer': {
    'another scheme': header('Basic YTpi'),
    'a scheme that begins with Bearer': header('Bearers x'),
    'a token without a scheme': header('a.b.c'),
  },
  'another scheme than Bearer and DPoP, with `dpop`': {
    'another scheme where the DPoP scheme is read': header('Basic YTpi', { dpop: 'unchecked' }),
  },
  '`Bearer` and no token': {
    'the word Bearer without a token': header('Bearer'),
    'the word Bearer and a space': header('Bearer '),
  },
  '`Bearer` and more than a token': {
    'the word Bearer and two words': header('Bearer a b'),
    'two schemes in one header': header('Bearer a, Basic b'),
  },
  'not a JWT': {
    'an opaque token': token('opaque'),
    'a token of two segments': token('a.b'),
    'a token of four segments': token(`${object}.${object}.x.y`),
    'an encrypted JWT of five segments': token(`${object}.x.y.z.w`),
    'a token of empty segments': token('..'),
    'a header that is not JSON': token(`bm90.${object}.x`),
    'a payload that is not JSON': token(`${object}.bm90.x`),
    'a header that is an array': token(`W10.${object}.x`),
    'a payload that is an array': token(`${object}.W10.x`),
    'a payload that is null': token(`${object}.bnVsbA.x`),
    'a token with padding': token(`e30=.${object}.x`),
    'a token with characters that base64url does not have': token(`e3!0.${object}.x`),
    'a token in base64 instead of base64url': token(`eyJhIjoiw7/Du34ifQ==.${object}.x`),
    'a token with unused bits in a last character': token(`e31.${object}.x`),
    'a payload that is nested 65 deep': signed({ claims: { deep: nested(64) } }),
    'a header that is nested 65 deep': signed({ header: { deep: nested(64) } }),
    'a payload that is not UTF-8': token(`${object}.${notUtf8}.x`),
    'a header that is not UTF-8': token(`${notUtf8}.${object}.x`),
    'a token of ten thousand dots': token('.'.repeat(10_000)),
  },
  'a `crit` header': {
    'a crit header with a registered extension': token(
      unsignedToken({ alg: 'RS256', crit: ['b64'], b64: false }, {}, 'x'),
    ),
    'a crit header with an unknown extension': token(
      unsignedToken({ alg: 'RS256', crit: ['x'], x: 1 }, {}, 'x'),
    ),
    'a crit header of null': token(unsignedToken({ alg: 'RS256', crit: null }, {}, 'x')),
  },
  'another `iss`, or none': {
    'a token of another issuer': signed({ claims: { iss: 'https://other.example/' } }),
    'a token without iss': signed({ claims: { iss: undefined } }),
  },
  'an algorithm that isn’t allowed, `none`, HS256 where keys are published': {
    'an algorithm that is not allowed': signed({}, { algorithms: ['RS256'] }),
    'the algorithm none': async () => call(app, unsignedToken({ alg: 'none' }, issuer.claims())),
    'HS256 from an issuer that publishes keys': async () =>
      call(app, unsignedToken({ alg: 'HS256' }, issuer.claims(), 'AA')),
  },
  'no key for the `kid`, or no `kid` and not exactly one key that fits': {
    'a token without kid from an issuer with several keys for its algorithm': async () => {
      await using several = await LocalIssuer.start()
      several.keys = [several.key.jwk, (await createKeyPair('ES256', 'other')).jwk]
      await using other = await createAppWith({ issuer: several.issuer })
      return await call(other, await several.token({ header: { kid: undefined } }))
    },
    'a kid that is a number': signed({ header: { kid: 1 } }),
    'a kid that is no valid Unicode': signed({ header: { kid: '\ud800' } }),
    'an unknown kid': signed({ header: { kid: 'x' } }),
  },
  'a signature by another key': {
    'a signature of another key': async () => {
      const other = await createKeyPair('ES256', issuer.key.jwk.kid)
      return call(app, await sign(other, issuer.claims()))
    },
  },
  'the `typ` of another kind of JWT': {
    'the typ of another kind of JWT': signed({ header: { typ: 'logout+jwt' } }),
  },
  'a claim that is missing or mistyped': {
    'a token without exp': signed({ claims: { exp: undefined } }),
    'a token without aud': signed({ claims: { aud: undefined } }),
  },
  '`exp` has passed': {
    'a token that has expired': signed({ claims: { exp: now() - 10 } }),
  },
  '`nbf` lies ahead': {
    'a token that is not active yet': signed({ claims: { nbf: now() + 60 } }),
  },
  'older than `maxTokenAge`': {
    'a token that is older than maxTokenAge': signed(
      { claims: { iat: now() - 100 } },
      { maxTokenAge: 60_000 },
    ),
  },
  'another audience': {
    'a token for another audience': signed({ claims: { aud: 'other' } }),
  },
  'another value of one of `claims`': {
    'another value of a claim': signed({}, { claims: { token_use: 'access' } }),
  },
  'bound to a key or certificate that the request doesn’t prove': {
    'a token that is bound to a DPoP key': signed({ claims: { cnf: { jkt: 'x'.repeat(43) } } }),
    'a token that is bound to a certificate': signed({ claims: { cnf: { 'x5t#S256': 'x'.repeat(43) } } }),
  },
  'the DPoP scheme without a proof, or with one that fails a check': {
    'the DPoP scheme without a proof': proven(() => undefined),
    'a proof for another request': proven((token) => client.proof({ url: baseUrl, token })),
  },
  'a proof without a nonce, or with one that is no longer accepted': {
    'a proof without a nonce': proven((token) => client.proof({ url, token }), {
      nonce: { secret: 'x'.repeat(32) },
    }),
  },
  'the store of used proofs is full or fails': {
    'a proof while the store of used proofs fails': proven((token) => client.proof({ url, token }), {
      replay: { add: async () => Promise.reject(new Error('no connection')) },
    }),
  },
  '`isRevoked` says so': {
    'a token that isRevoked reports': signed({}, { isRevoked: () => true }),
  },
  '`authorize` finds a scope missing': {
    'a token without the scope of a rule': rule({ scope: 'read:ping' }),
  },
  '`authorize` finds a claim missing, or `check` says no': {
    'a token without the claim of a rule': rule({ claims: { role: 'admin' } }),
    'a token that check does not permit': rule({ check: () => false }),
  },
  '`authorize` finds that the user has to authenticate otherwise, or anew': {
    'a token without the authentication of a rule': rule({ acr: 'urn:acme:mfa', maxAuthAge: 300_000 }),
  },
  'the issuer can’t be reached and no usable key of it is known': {
    'an issuer that can not be reached': async () => {
      issuer.on('/jwks', (_request, response) => response.destroy())
      try {
        return await signed({})()
      } finally {
        issuer.handlers.clear()
      }
    },
  },
}

suite('the answers of docs/answers.md', () => {
  for (const { title: row, answer } of rows) {
    for (const [title, provoke] of Object.entries(provocations[row] ?? {})) {
      test(`${title} is answered ${answer.status} ${answer.code}`, async (t: TestContext) => {
        const response = await provoke()
        t.assert.deepEqual(readRow(response), answer)
        t.assert.equal(response.headers['retry-after'], answer.status === 503 ? '1' : undefined)
      })
    }
  }

  test('the table of answers has a row for every case that is tested here, and none twice', (t) => {
    t.assert.deepEqual(rows.map(({ title }) => title).toSorted(), Object.keys(provocations).toSorted())
  })

  test('the table of answers has every code and every refusal of the library', (t) => {
    const source = readFileSync(join(docs, '../lib/errors.ts'), 'utf8')
    const [, union] = /type JwksAuthErrorCode =([^]+?)\n\n/.exec(source)!
    const codes = Array.from(union!.matchAll(/'(\w+)'/g), ([, code]) => code)
    t.assert.deepEqual(new Set(rows.map(({ answer }) => answer.code)), new Set(codes))
    for (const { code, message, statusCode, challengeError } of Object.values(refusals)) {
      const error = challengeError ? `, error="${challengeError}"` : ''
      const isOfDPoP = /dpop/.test(challengeError ?? '')
      const challenge = isOfDPoP ? `DPoP realm="api"${error}, algs="ES256"` : `Bearer realm="api"${error}`
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

  test('several audiences are joined by commas in the message', async (t) => {
    const response = await signed({}, { audience: ['a', 'b'] })()
    t.assert.equal(readAnswer(response).message, 'the audience does not match. expected: a, b')
  })

  test('a crit header is refused before any other part of the token is checked', async (t) => {
    const requests = issuer.requests.length
    const bad = { alg: 'RS256', kid: 'x', crit: ['exp'], exp: 1 }
    const response = await call(app, unsignedToken(bad, { iss: issuer.issuer }))
    t.assert.equal(readAnswer(response).message, 'Unable to parse authentication token.')
    t.assert.equal(issuer.requests.length, requests)
  })

  for (const spelling of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    test(`the scheme ${spelling} is accepted, with any white space around the token`, async (t) => {
      const authorization = `${spelling} \t ${await issuer.token()} `
      const response = await app.inject({ url: '/secured', headers: { authorization } })
      t.assert.equal(response.statusCode, 200)
    })
  }
})

suite('the challenge', () => {
  const bare = 'Bearer realm="api"'

  test('the challenge has the realm of the options as a quoted string', async (t) => {
    const other = await createAppWith({ realm: 'my "best" \\ api' })
    const response = await other.inject('/secured')
    t.assert.equal(response.headers['www-authenticate'], 'Bearer realm="my \\"best\\" \\\\ api"')
  })

  test('an error handler of the application keeps the challenge', async (t) => {
    const other = await createAppWith({})
    await other.register(async (scope) => {
      scope.setErrorHandler((error: Error & { statusCode: number }, _request, reply) =>
        reply.status(error.statusCode).send({ sorry: true }),
      )
      scope.get('/sorry', { onRequest: other.authenticate }, async () => 'x')
    })
    const response = await other.inject('/sorry')
    t.assert.equal(response.headers['www-authenticate'], bare)
    t.assert.deepEqual(response.json(), { sorry: true })
  })

  test('the challenge is a header of its own next to the challenge of another scheme', async (t) => {
    const other = await createAppWith({})
    t.after(() => other.close())
    other.get(
      '/both',
      {
        onRequest: [
          async (_request, reply) => void reply.header('www-authenticate', 'Basic realm="a"'),
          other.authenticate,
        ],
      },
      async () => 'x',
    )
    const origin = await other.listen()
    const response = await fetch(`${origin}/both`)
    t.assert.equal(response.headers.get('www-authenticate'), `Basic realm="a", ${bare}`)
    const injected = await other.inject('/both')
    t.assert.deepEqual(injected.headers['www-authenticate'], ['Basic realm="a"', bare])
  })

  test('the answer has one challenge if the hook refuses the request twice', async (t) => {
    const other = await createAppWith({})
    other.get(
      '/twice',
      {
        onRequest: async (request, reply) => {
          await other.authenticate(request, reply).catch(() => {})
          await other.authenticate(request, reply)
        },
      },
      async () => 'x',
    )
    const response = await other.inject('/twice')
    t.assert.equal(response.headers['www-authenticate'], bare)
  })

  test('a token whose header and payload are nested 64 deep is accepted', async (t) => {
    const deep = nested(63)
    const response = await call(app, await issuer.token({ claims: { deep }, header: { deep } }))
    t.assert.equal(response.statusCode, 200)
  })

  test('brackets in strings do not count as nesting', async (t) => {
    const text = `\\"${'[{'.repeat(100)}`
    const response = await call(app, await issuer.token({ claims: { text, [text]: [text] } }))
    t.assert.equal(response.statusCode, 200)
  })

  test('the answer to a good token has no challenge', async (t) => {
    const response = await call(app, await issuer.token())
    t.assert.equal(response.statusCode, 200)
    t.assert.equal(response.headers['www-authenticate'], undefined)
  })

  test('every refusal throws a new error', async (t) => {
    const other = Fastify()
    await other.register(jwksAuth, { issuer: issuer.issuer, audience: 'api' })
    const errors: Error[] = []
    other.setErrorHandler(async (error: Error) => void errors.push(error))
    other.get('/secured', { onRequest: other.authenticate }, async () => 'x')
    await other.inject('/secured')
    await other.inject('/secured')
    t.assert.equal(errors.length, 2)
    t.assert.notEqual(errors[0], errors[1])
  })
})

function header(authorization: string | undefined, options?: Partial<JwksAuthOptions>): Provoke {
  const headers = authorization === undefined ? {} : { authorization }
  return async () => (options ? await createAppWith(options) : app).inject({ url: '/secured', headers })
}

/** A token that is bound to a key, with the DPoP scheme and what a function makes of the token as its proof. */
function proven(makeProof: (token: string) => string | undefined, options: object = {}): Provoke {
  return async () => {
    const other = await createAppWith({ dpop: { baseUrl, algorithms: ['ES256'], ...options } })
    const bound = await issuer.token({ claims: { cnf: { jkt: client.jkt } } })
    const dpop = makeProof(bound)
    const headers = { authorization: `DPoP ${bound}`, ...(dpop !== undefined && { dpop }) }
    const response = await other.inject({ url: '/secured', headers })
    await other.close()
    return response
  }
}

/** The answer as a row has it: of several challenges the one with the error. */
function readRow(response: LightMyRequestResponse): unknown {
  const answer = readAnswer(response)
  const challenges = [answer.challenge].flat() as (string | undefined)[]
  const challenge = challenges.find((one) => one?.includes('error=')) ?? challenges[0]
  return { ...answer, challenge }
}

function token(bearer: string): Provoke {
  return async () => call(app, bearer)
}

/** A token that the issuer has signed, on an application with these options. */
function signed(parts: TokenParts, options: Partial<JwksAuthOptions> = {}): Provoke {
  return async () => {
    const other = await createAppWith(options)
    const response = await call(other, await issuer.token(parts))
    await other.close()
    return response
  }
}

/** A good token on a route with a rule. */
function rule(options: AuthorizeOptions): Provoke {
  return async () => {
    const other = await createAppWith({})
    other.get('/ruled', { onRequest: other.authorize(options) }, async () => 'in')
    const response = await call(other, await issuer.token(), '/ruled')
    await other.close()
    return response
  }
}
