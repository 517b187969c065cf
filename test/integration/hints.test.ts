import { createHmac } from 'node:crypto'
import { suite, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import jwksAuth, { type JwksAuthOptions } from '../../lib/index.ts'
import { call } from '../helpers/app.ts'
import { now, LocalIssuer, unsignedToken, type TokenParts } from '../helpers/issuer.ts'

interface Line {
  level: number
  msg: string
  issuer?: string
  issuers?: string[]
  iss?: string
  audience?: string[]
  seconds?: number
}

const [info, warn] = [30, 40]

/** Of every log line but those of requests what the plugin wrote. */
async function start(
  t: TestContext,
  options: object,
): Promise<{ app: FastifyInstance; lines: Line[]; text: () => string }> {
  const lines: Line[] = []
  const stream = {
    write(line: string) {
      const { level, msg, time: _, pid: _pid, hostname: _hostname, ...details } = JSON.parse(line)
      if (!('req' in details || 'res' in details || 'reqId' in details))
        lines.push({ level, msg, ...details })
    },
  }
  const app = Fastify({ logger: { level: 'info', stream } })
  t.after(() => app.close())
  await app.register(jwksAuth, options as JwksAuthOptions)
  app.get('/secured', { onRequest: [app.authenticate] }, async () => 'ok')
  return { app, lines, text: () => JSON.stringify(lines) }
}

async function refuse(t: TestContext, app: FastifyInstance, ...tokens: string[]): Promise<void> {
  for (const token of tokens) t.assert.equal((await call(app, token)).statusCode, 401)
}

const secret = 'x'.repeat(32)
const own = { issuer: 'https://id.example.com/realms/acme', audience: 'https://api.example.com' }
const named = (iss: unknown): string => unsignedToken({ alg: 'RS256' }, { iss, sub: 'alice@example.com' })

suite('an iss that is nearly the configured issuer', () => {
  const rows: [came: string, configured: string, differences: string][] = [
    ['https://id.example.com/realms/acme/', own.issuer, 'the slash at its end'],
    ['https://tenant.eu.auth0.com', 'https://tenant.eu.auth0.com/', 'the slash at its end'],
    ['https://tenant.eu.auth0.com//', 'https://tenant.eu.auth0.com/', 'the slash at its end'],
    ['http://id.example.com/realms/acme', own.issuer, 'its scheme'],
    ['accounts.google.com', 'https://accounts.google.com', 'its scheme'],
    ['https://ID.example.com/realms/Acme', own.issuer, 'upper and lower case'],
    ['https://id.example.com:443/realms/acme', own.issuer, 'the default port'],
    ['HTTP://id.example.com:80', 'http://id.example.com', 'the default port, upper and lower case'],
    [' https://id.example.com/realms/acme', own.issuer, 'white space around it'],
    [
      'http://ID.example.com/',
      'https://id.example.com',
      'its scheme, the slash at its end, upper and lower case',
    ],
    ['http://keycloak:8080/realms/acme', 'http://localhost:8080/realms/acme', 'its host or port'],
    ['https://id.example.com:8443/realms/acme', own.issuer, 'its host or port'],
    ['https://id.example.com/auth/realms/acme', own.issuer, 'its path'],
    ['https://id.example.com', own.issuer, 'its path'],
    ['https://ID.EXAMPLE.com/realms/Other', own.issuer, 'its path'],
  ]
  for (const [came, configured, differences] of rows) {
    test(`${JSON.stringify(came)} instead of ${configured} is a warning that names the difference`, async (t) => {
      const { app, lines } = await start(t, { ...own, issuer: configured, secret })
      await refuse(t, app, named(came))
      const [line] = lines
      t.assert.equal(lines.length, 1)
      t.assert.deepEqual([line!.level, line!.issuer, line!.iss], [warn, configured, came])
      t.assert.match(line!.msg, new RegExp(`they differ in: ${differences}; the token was not verified`))
    })
  }

  test('is told once, another host or path as well', async (t) => {
    const { app, lines } = await start(t, own)
    for (const end of ['/', '//', '///']) await refuse(t, app, named(own.issuer + end))
    await refuse(t, app, named('https://other.example/realms/acme'), named('https://id.example.com/realms/b'))
    t.assert.deepEqual(
      lines.map(({ iss }) => iss),
      [`${own.issuer}/`, 'https://other.example/realms/acme'],
    )
  })

  test('is compared with the issuer that it is most like', async (t) => {
    const others = ['https://id.example.com/realms/one', 'https://id.example.com/realms/two']
    const issuers = others.map((issuer) => ({ ...own, issuer }))
    const { app, lines } = await start(t, { issuers })
    await refuse(t, app, named(`${others[1]}/`), named('https://id.example.com/realms/three'))
    t.assert.deepEqual(
      lines.map(({ issuer }) => issuer),
      [others[1], others[0]],
    )
  })

  const unfit: [title: string, iss: string, shown: string | undefined][] = [
    ['a line break is left out', `${own.issuer}\n`, undefined],
    ['an escape sequence is left out', `${own.issuer}/\u001B[31m`, undefined],
    ['letters that only look like ours is left out', own.issuer.replace('com/', '\u0441om/'), undefined],
    ['great length is cut', `https://${'a'.repeat(150)}/realms/acme`, `https://${'a'.repeat(92)}`],
  ]
  for (const [title, iss, shown] of unfit) {
    test(`of ${title}`, async (t) => {
      const { app, lines } = await start(t, own)
      await refuse(t, app, named(iss))
      t.assert.deepEqual([lines[0]!.level, lines[0]!.iss], [warn, shown])
    })
  }
})

suite('an iss that is like no configured issuer', () => {
  const strangers: [title: string, iss: unknown][] = [
    ['another host', 'https://stranger.example/'],
    ['another host and path', 'https://stranger.example/realms/other'],
    ['a very long one', `${own.issuer}${'/'.repeat(200)}`],
    ['a number', 5],
    ['none', undefined],
    ['white space', ' '],
    ['nothing', ''],
  ]
  for (const [title, iss] of strangers) {
    test(`${title} is a line without a word of the token, once`, async (t) => {
      const { app, lines, text } = await start(t, own)
      await refuse(t, app, named(iss), named(iss), named('https://another.example'))
      t.assert.deepEqual(
        lines.map(({ level, issuers }) => [level, issuers]),
        [[info, [own.issuer]]],
      )
      t.assert.doesNotMatch(text(), /stranger|alice|\/{5}/)
    })
  }

  test('another tenant of a host for each is no near miss', async (t) => {
    const { app, lines } = await start(t, { domain: 'tenant.eu.auth0.com', audience: 'api' })
    await refuse(t, app, named('https://other.eu.auth0.com/'))
    t.assert.equal(lines[0]!.level, info)
  })

  test('a hundred of many issuers are compared with, and twenty named', async (t) => {
    const issuers = Array.from({ length: 101 }, (_, index) => ({
      ...own,
      issuer: `https://id${index}.example/`,
    }))
    const { app, lines } = await start(t, { issuers })
    await refuse(t, app, named('https://id100.example'), named('https://id99.example'))
    t.assert.deepEqual(
      lines.map(({ level }) => level),
      [info, warn],
    )
    t.assert.equal(lines[0]!.issuers!.length, 20)
  })
})

suite('what is no JWT', () => {
  const five = (header: object): string =>
    `${Buffer.from(JSON.stringify(header)).toString('base64url')}.a2V5.aXY.dGV4dA.dGFn`
  const rows: [title: string, token: string, msg: RegExp][] = [
    ['an opaque token', 'mF_9.B5f-4.1JqM.x', /is not a JWT.*only its issuer can read.*Auth0: with audience/],
    ['one without dots', 'f4c1ae9d7b', /is not a JWT/],
    ["one of Google's", 'ya29.a0AfH6SMB-x', /Google: use the ID token/],
    ['five parts that are no JWE', five({ alg: 'RS256' }), /is not a JWT/],
    ['five parts without a header', 'a.b.c.d.e', /is not a JWT/],
    ['a JWE', five({ alg: 'dir', enc: 'A256GCM' }), /encrypted token \(JWE\).*without audience/],
    ['the word undefined', 'undefined', /the word "undefined" came in place of a token/],
    ['the word null', 'null', /the word "null" came in place of a token/],
  ]
  for (const [title, token, msg] of rows) {
    test(`${title} is a warning that says what to do, once`, async (t) => {
      const { app, lines, text } = await start(t, own)
      await refuse(t, app, token, token)
      t.assert.equal(lines.length, 1)
      t.assert.equal(lines[0]!.level, warn)
      t.assert.match(lines[0]!.msg, msg)
      if (!title.includes('word')) {
        t.assert.deepEqual(lines[0]!.audience, [own.audience])
        t.assert.equal(text().includes(token), false)
      }
    })
  }

  test('four parts are no JWE, whatever their header says', async (t) => {
    const { app, lines } = await start(t, own)
    await refuse(t, app, five({ alg: 'dir', enc: 'A256GCM' }).replace('.dGFn', ''))
    t.assert.match(lines[0]!.msg, /is not a JWT/)
  })

  test('three parts that can not be read, and nothing at all, are no hint', async (t) => {
    const { app, lines } = await start(t, { ...own, getToken: () => '' })
    const { app: usual, lines: others } = await start(t, own)
    await refuse(t, app, 'a')
    await refuse(t, usual, 'a.b.c', unsignedToken({ alg: 'RS256', crit: ['b64'] }, {}))
    t.assert.deepEqual([...lines, ...others], [])
  })

  test('no audience is named where none is configured', async (t) => {
    const { app, lines } = await start(t, { ...own, audience: false })
    await refuse(t, app, 'opaque')
    t.assert.deepEqual(lines[0]!.audience, [])
  })
})

suite('a verified token', () => {
  test('whose iat lies ahead and that is refused tells how far the clocks are apart, once', async (t: TestContext) => {
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const ahead = { iat: now() + 600, nbf: now() + 600, exp: now() + 900 }
    await refuse(t, app, await issuer.token({ claims: ahead }), await issuer.token({ claims: ahead }))
    const [line] = lines
    t.assert.equal(lines.length, 1)
    t.assert.deepEqual([line!.level, line!.issuer], [warn, issuer.issuer])
    t.assert.ok(line!.seconds === 600 || line!.seconds === 599, String(line!.seconds))
    t.assert.match(line!.msg, /clocks of the issuer and of this server are at least (599|600) seconds apart/)
  })

  const noEvidence: [title: string, claims: Record<string, unknown>][] = [
    ['within the tolerance', { iat: now() + 3, nbf: now() + 600 }],
    ['without iat', { iat: undefined, nbf: now() + 600 }],
    ['whose iat is text', { iat: `${now() + 600}` }],
    ['that is expired', { iat: now() - 600, exp: now() - 300 }],
  ]
  for (const [title, claims] of noEvidence) {
    test(`${title} says nothing about clocks`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const { app, text } = await start(t, { issuer: issuer.issuer, audience: 'api' })
      await refuse(t, app, await issuer.token({ claims }))
      t.assert.doesNotMatch(text(), /clock/)
    })
  }

  test('whose iat is endless says nothing about clocks', async (t) => {
    const { app, text } = await start(t, { ...own, secret })
    const [header, claims] = ['{"alg":"HS256"}', `{"iss":"${own.issuer}","iat":1e999,"exp":1}`].map((part) =>
      Buffer.from(part).toString('base64url'),
    )
    const signature = createHmac('sha256', secret).update(`${header}.${claims}`).digest('base64url')
    await refuse(t, app, `${header}.${claims}.${signature}`)
    t.assert.doesNotMatch(text(), /clock/)
  })

  test('that anybody made says nothing about clocks, nor about ID tokens', async (t) => {
    await using issuer = await LocalIssuer.start()
    await using other = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const claims = issuer.claims({ aud: 'client', nonce: 'n', iat: now() + 600, nbf: now() + 600 })
    const forged = await other.token({ claims, header: { kid: issuer.key.jwk.kid } })
    await refuse(t, app, forged)
    t.assert.deepEqual(lines, [])
  })

  const idTokens: [title: string, claims: Record<string, unknown>, options?: object][] = [
    ['nonce', { nonce: 'n' }],
    ['at_hash', { at_hash: 'h' }],
    ['c_hash', { c_hash: 'h' }],
    ["Keycloak's typ", { typ: 'ID' }],
    ["Cognito's token_use", { token_use: 'id' }],
    [
      'a token_use that the claims option refuses',
      { token_use: 'id' },
      { audience: false, claims: { token_use: 'access' } },
    ],
  ]
  for (const [title, claims, options] of idTokens) {
    test(`that is an ID token by ${title} is a warning without the token's words, once`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const { app, lines, text } = await start(t, { issuer: issuer.issuer, audience: 'api', ...options })
      const token = await issuer.token({ claims: { aud: 'the client', ...claims } })
      await refuse(t, app, token, token)
      t.assert.equal(lines.length, 1)
      t.assert.deepEqual([lines[0]!.level, lines[0]!.issuer], [warn, issuer.issuer])
      t.assert.match(lines[0]!.msg, /an ID token came.*request an access token for this API/)
      t.assert.doesNotMatch(text(), /the client"|someone/)
    })
  }

  const accessTokens: [title: string, claims: Record<string, unknown>][] = [
    ['with a scope', { aud: 'account', nonce: 'n', scope: 'openid' }],
    ['with scp', { aud: 'account', nonce: 'n', scp: ['a'] }],
    ['with a client_id', { aud: 'account', nonce: 'n', client_id: 'web' }],
    ['for another API', { aud: 'another' }],
    ['that is expired', { nonce: 'n', exp: 1 }],
  ]
  for (const [title, claims] of accessTokens) {
    test(`${title} is not taken for an ID token for another audience`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
      await refuse(t, app, await issuer.token({ claims }))
      t.assert.deepEqual(lines, [])
    })
  }

  const refusedFor: [claim: string, token: TokenParts, options: object][] = [
    ['typ', { header: { typ: 'JWT' } }, { profile: 'rfc9068' }],
    ['jti', { header: { typ: 'at+jwt' }, claims: { client_id: 'web' } }, { profile: 'rfc9068' }],
    ['exp', { claims: { exp: undefined } }, {}],
    ['aud', { claims: { aud: undefined } }, {}],
    ['iat', { claims: { iat: undefined } }, { maxTokenAge: 60_000 }],
    ['nbf', { claims: { nbf: 'now' } }, {}],
    ['tenant', {}, { requiredClaims: ['tenant'] }],
    ['token_use', { claims: { token_use: 'refresh' } }, { claims: { token_use: 'access' } }],
  ]
  for (const [claim, token, options] of refusedFor) {
    test(`that is refused for its ${claim} is a warning that names it, once`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api', ...options })
      const raw = await issuer.token(token)
      await refuse(t, app, raw, raw)
      const msg = `a verified token was refused for its ${claim}, which is missing or not as the options want it`
      t.assert.deepEqual(lines, [{ level: warn, issuer: issuer.issuer, claim, msg }])
    })
  }

  test('that is accepted says nothing, whatever is in it', async (t) => {
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const token = await issuer.token({ claims: { iat: now() + 600, nonce: 'n', typ: 'ID' } })
    for (let time = 0; time < 3; time++) t.assert.equal((await call(app, token)).statusCode, 200)
    t.assert.deepEqual(lines, [])
  })
})

test('an iss that the function for issuers does not know is told of once, without its words', async (t) => {
  const { app, lines } = await start(t, { issuers: () => undefined })
  await refuse(t, app, named('https://one.example'), named('https://another.example'))
  const msg =
    'a token came whose iss the function "issuers" does not know; the token was not verified, so anybody may have made it'
  t.assert.deepEqual(lines, [{ level: 30, issuers: [], msg }])
})

suite('a flood of refused tokens', () => {
  test('is ten lines at most, one about each subject', async (t) => {
    const { app, lines } = await start(t, own)
    for (let sent = 0; sent < 500; sent++) {
      await refuse(
        t,
        app,
        `opaque${sent}`,
        named(`https://stranger${sent}.example`),
        named(`${own.issuer}${'/'.repeat(sent % 9)}/`),
      )
    }
    t.assert.equal(lines.length, 3)
  })

  test('is looked at ten times a second, and what comes in the next second is looked at again', async (t) => {
    const { app, lines } = await start(t, own)
    let time = Math.ceil(performance.now())
    t.mock.method(performance, 'now', () => time)
    for (let sent = 0; sent < 10; sent++) await refuse(t, app, 'a.b.c')
    await refuse(t, app, 'opaque', named('https://stranger.example'))
    t.assert.deepEqual(lines, [])
    time += 999
    await refuse(t, app, 'opaque')
    t.assert.deepEqual(lines, [])
    time += 1
    await refuse(t, app, 'opaque')
    t.assert.equal(lines.length, 1)
  })

  test('does not keep verified tokens from being looked at', async (t) => {
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    for (let sent = 0; sent < 20; sent++) await refuse(t, app, 'a.b.c')
    await refuse(t, app, await issuer.token({ claims: { aud: 'client', nonce: 'n' } }))
    t.assert.equal(lines.length, 1)
  })
})

test('each instance gives its own hints', async (t) => {
  const one = await start(t, own)
  const two = await start(t, own)
  for (const { app, lines } of [one, two]) {
    await refuse(t, app, 'opaque')
    t.assert.equal(lines.length, 1)
  }
})
