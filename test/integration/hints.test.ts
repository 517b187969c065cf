import { createHmac } from 'node:crypto'
import { suite, test, type TestContext } from 'node:test'
import { call } from '../helpers/app.ts'
import { createKeyPair, now, LocalIssuer, unsignedToken, type TokenParts } from '../helpers/issuer.ts'
import { refuse, start } from '../helpers/log-lines.ts'

const [info, warn] = [30, 40]

const secret = 'x'.repeat(32)
const own = { issuer: 'https://id.example.com/realms/acme', audience: 'https://api.example.com' }
const named = (iss: unknown): string => unsignedToken({ alg: 'RS256' }, { iss, sub: 'alice@example.com' })

suite('an iss that is similar to the configured issuer', () => {
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
    ['http://localhost:8080', 'http://127.0.0.1:8080', 'the name of the loopback host'],
    [
      'http://127.0.0.1:8080/',
      'http://localhost:8080',
      'the name of the loopback host .*, the slash at its end',
    ],
    ['http://[::1]:8080/realms/acme', 'http://localhost:8080/realms/acme', 'the name of the loopback host'],
    [
      'http://127.0.0.1:8080/realms/b',
      'http://localhost:8080/realms/a',
      'the name of the loopback host .*, its path',
    ],
    ['http://localhost:9090/realms/acme', 'http://127.0.0.1:8080/realms/acme', 'its host or port'],
    ['http://127.0.0.1:80', 'http://localhost', 'the name of the loopback host .*, the default port'],
  ]
  for (const [came, configured, differences] of rows) {
    test(`the iss ${JSON.stringify(came)} instead of ${configured} is logged as a warning that names the difference`, async (t) => {
      const { app, lines } = await start(t, { ...own, issuer: configured, secret })
      await refuse(t, app, named(came))
      const [line] = lines
      t.assert.equal(lines.length, 1)
      t.assert.deepEqual([line!.level, line!.issuer, line!.iss], [warn, configured, came])
      t.assert.match(
        line!.msg,
        new RegExp(`they differ in: ${differences}( \\(.*\\))?; the token was not verified`),
      )
    })
  }

  test('a similar iss is logged once, and an iss with another host or path once more', async (t) => {
    const { app, lines } = await start(t, own)
    for (const end of ['/', '//', '///']) await refuse(t, app, named(own.issuer + end))
    await refuse(t, app, named('https://other.example/realms/acme'), named('https://id.example.com/realms/b'))
    t.assert.deepEqual(
      lines.map(({ iss }) => iss),
      [`${own.issuer}/`, 'https://other.example/realms/acme'],
    )
  })

  test('an iss is compared with the most similar issuer', async (t) => {
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
    ['with a line break is left out of the log', `${own.issuer}\n`, undefined],
    ['with an escape sequence is left out of the log', `${own.issuer}/\u001B[31m`, undefined],
    [
      'with letters that only look like those of the issuer is left out of the log',
      own.issuer.replace('com/', '\u0441om/'),
      undefined,
    ],
    ['of great length is cut', `https://${'a'.repeat(150)}/realms/acme`, `https://${'a'.repeat(92)}`],
  ]
  for (const [title, iss, shown] of unfit) {
    test(`a similar iss ${title}`, async (t) => {
      const { app, lines } = await start(t, own)
      await refuse(t, app, named(iss))
      t.assert.deepEqual([lines[0]!.level, lines[0]!.iss], [warn, shown])
    })
  }
})

suite('an iss that is similar to no configured issuer', () => {
  const dissimilar: [title: string, iss: unknown][] = [
    ['with another host', 'https://unknown.example/'],
    ['with another host and path', 'https://unknown.example/realms/other'],
    ['of great length', `${own.issuer}${'/'.repeat(200)}`],
    ['with an escape sequence', 'https://unknown.example/\u001B[31m'],
    ['that is a number', 5],
    ['that is missing', undefined],
    ['that is white space', ' '],
    ['that is empty', ''],
  ]
  for (const [title, iss] of dissimilar) {
    test(`an iss ${title} is logged once, with 100 of its characters and no other text of the token`, async (t) => {
      const { app, lines, text } = await start(t, own)
      await refuse(t, app, named(iss), named(iss), named('https://another.example'))
      const shown = typeof iss === 'string' && /^[\x20-\x7e]+$/.test(iss) ? iss.slice(0, 100) : undefined
      t.assert.deepEqual(
        lines.map(({ level, issuers, iss }) => [level, issuers, iss]),
        [[info, [own.issuer], shown]],
      )
      t.assert.doesNotMatch(text(), /alice|\/{80}/)
    })
  }

  test('another tenant on a host of its own is not similar', async (t) => {
    const { app, lines } = await start(t, { domain: 'tenant.eu.auth0.com', audience: 'api' })
    await refuse(t, app, named('https://other.eu.auth0.com/'))
    t.assert.equal(lines[0]!.level, info)
  })

  test('an iss is compared with at most 100 issuers, and at most 20 issuers are logged', async (t) => {
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
    t.assert.equal((lines[0]!.issuers as string[]).length, 20)
  })
})

suite('a token that is no JWT', () => {
  const five = (header: object): string =>
    `${Buffer.from(JSON.stringify(header)).toString('base64url')}.a2V5.aXY.dGV4dA.dGFn`
  const rows: [title: string, token: string, msg: RegExp][] = [
    ['an opaque token', 'mF_9.B5f-4.1JqM.x', /is not a JWT.*only its issuer can read.*Auth0: with audience/],
    ['a token without dots', 'f4c1ae9d7b', /is not a JWT/],
    ['an access token of Google', 'ya29.a0AfH6SMB-x', /Google: use the ID token/],
    ['a token of five parts that is no JWE', five({ alg: 'RS256' }), /is not a JWT/],
    ['a token of five parts without a header', 'a.b.c.d.e', /is not a JWT/],
    ['a JWE', five({ alg: 'dir', enc: 'A256GCM' }), /encrypted token \(JWE\).*without audience/],
    ['the word undefined', 'undefined', /the word "undefined" came in place of a token/],
    ['the word null', 'null', /the word "null" came in place of a token/],
  ]
  for (const [title, token, msg] of rows) {
    test(`${title} is logged once, as a warning that says what to do`, async (t) => {
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

  test('a token of four parts is no JWE, even with the header of one', async (t) => {
    const { app, lines } = await start(t, own)
    await refuse(t, app, five({ alg: 'dir', enc: 'A256GCM' }).replace('.dGFn', ''))
    t.assert.match(lines[0]!.msg, /is not a JWT/)
  })

  test('unreadable tokens of three parts and empty tokens are not logged', async (t) => {
    const { app, lines } = await start(t, { ...own, getToken: () => '' })
    const { app: usual, lines: others } = await start(t, own)
    await refuse(t, app, 'a')
    await refuse(t, usual, 'a.b.c', unsignedToken({ alg: 'RS256', crit: ['b64'] }, {}))
    t.assert.deepEqual([...lines, ...others], [])
  })

  test('no audience is logged if none is configured', async (t) => {
    const { app, lines } = await start(t, { ...own, audience: false })
    await refuse(t, app, 'opaque')
    t.assert.deepEqual(lines[0]!.audience, [])
  })
})

suite('a verified token', () => {
  test('a refused token with an iat in the future is logged once, with the difference between the clocks', async (t: TestContext) => {
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

  const noDifference: [title: string, claims: Record<string, unknown>][] = [
    ['with an iat within the tolerance', { iat: now() + 3, nbf: now() + 600 }],
    ['without iat', { iat: undefined, nbf: now() + 600 }],
    ['with an iat that is text', { iat: `${now() + 600}` }],
    ['that has expired', { iat: now() - 600, exp: now() - 300 }],
  ]
  for (const [title, claims] of noDifference) {
    test(`a refused token ${title} causes no line about clocks`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const { app, text } = await start(t, { issuer: issuer.issuer, audience: 'api' })
      await refuse(t, app, await issuer.token({ claims }))
      t.assert.doesNotMatch(text(), /clock/)
    })
  }

  test('a token that maxTokenAge refuses for its iat in the future is explained by the clocks only', async (t) => {
    await using issuer = await LocalIssuer.start()
    const options = { maxTokenAge: 60_000, claims: { tenant: 'a' } }
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api', ...options })
    await refuse(t, app, await issuer.token({ claims: { iat: now() + 600, exp: now() + 900, tenant: 'a' } }))
    await refuse(t, app, await issuer.token({ claims: { tenant: 'b' } }))
    t.assert.match(lines[0]!.msg, /clocks/)
    t.assert.match(lines[1]!.msg, /refused for its tenant/)
  })

  test('a refused token with an infinite iat causes no line about clocks', async (t) => {
    const { app, text } = await start(t, { ...own, secret })
    const [header, claims] = ['{"alg":"HS256"}', `{"iss":"${own.issuer}","iat":1e999,"exp":1}`].map((part) =>
      Buffer.from(part).toString('base64url'),
    )
    const signature = createHmac('sha256', secret).update(`${header}.${claims}`).digest('base64url')
    await refuse(t, app, `${header}.${claims}.${signature}`)
    t.assert.doesNotMatch(text(), /clock/)
  })

  test('a token with a forged signature causes no line about clocks or ID tokens', async (t) => {
    await using issuer = await LocalIssuer.start()
    await using other = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const claims = issuer.claims({ aud: 'client', nonce: 'n', iat: now() + 600, nbf: now() + 600 })
    const forged = await other.token({ claims, header: { kid: issuer.key.jwk.kid } })
    await refuse(t, app, forged)
    t.assert.match(lines[0]!.msg, /whose signature was not made with the key/)
    t.assert.equal(lines.length, 1)
  })

  const idTokens: [title: string, claims: Record<string, unknown>, options?: object][] = [
    ['its nonce', { nonce: 'n' }],
    ['its at_hash', { at_hash: 'h' }],
    ['its c_hash', { c_hash: 'h' }],
    ['the typ of Keycloak', { typ: 'ID' }],
    ['the token_use of Cognito', { token_use: 'id' }],
    [
      'a token_use that the claims option refuses',
      { token_use: 'id' },
      { audience: false, claims: { token_use: 'access' } },
    ],
  ]
  for (const [title, claims, options] of idTokens) {
    test(`an ID token, recognized by ${title}, is logged once as a warning without text of the token`, async (t) => {
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
    ['that has expired', { nonce: 'n', exp: 1 }],
  ]
  for (const [title, claims] of accessTokens) {
    test(`a token ${title} is not reported as an ID token`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const { app, text } = await start(t, { issuer: issuer.issuer, audience: 'api' })
      await refuse(t, app, await issuer.token({ claims }))
      t.assert.doesNotMatch(text(), /ID token/)
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
    test(`a verified token that is refused for its ${claim} is logged once as a warning that names the claim`, async (t) => {
      await using issuer = await LocalIssuer.start()
      const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api', ...options })
      const raw = await issuer.token(token)
      await refuse(t, app, raw, raw)
      const msg = `a verified token was refused for its ${claim}, which is missing or does not have the value that the options require`
      t.assert.deepEqual(lines, [{ level: warn, issuer: issuer.issuer, claim, msg }])
    })
  }

  test('an accepted token causes no line, even with unusual claims', async (t) => {
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    const token = await issuer.token({ claims: { iat: now() + 600, nonce: 'n', typ: 'ID' } })
    for (let time = 0; time < 3; time++) t.assert.equal((await call(app, token)).statusCode, 200)
    t.assert.deepEqual(lines, [])
  })
})

test('an iss that the function for issuers does not know is logged once', async (t) => {
  const { app, lines } = await start(t, { issuers: () => undefined })
  await refuse(t, app, named('https://one.example'), named('https://another.example'))
  const msg =
    'a token came whose iss the function "issuers" does not know; the token was not verified, so anybody may have made it'
  t.assert.deepEqual(lines, [{ level: 30, issuers: [], iss: 'https://one.example', msg }])
})

suite('a flood of refused tokens', () => {
  test('a flood of refused tokens causes one line for each kind of mistake', async (t) => {
    const { app, lines } = await start(t, own)
    for (let sent = 0; sent < 100; sent++) {
      await refuse(
        t,
        app,
        `opaque${sent}`,
        named(`https://unknown${sent}.example`),
        named(`${own.issuer}${'/'.repeat(sent % 9)}/`),
      )
    }
    t.assert.equal(lines.length, 3)
  })

  test('in a flood ten refused tokens a second are examined', async (t) => {
    const { app, lines } = await start(t, own)
    let time = Math.ceil(performance.now())
    t.mock.method(performance, 'now', () => time)
    for (let sent = 0; sent < 10; sent++) await refuse(t, app, 'a.b.c')
    await refuse(t, app, 'opaque', named('https://unknown.example'))
    t.assert.deepEqual(lines, [])
    time += 999
    await refuse(t, app, 'opaque')
    t.assert.deepEqual(lines, [])
    time += 1
    await refuse(t, app, 'opaque')
    t.assert.equal(lines.length, 1)
  })

  test('verified tokens are examined during a flood of other tokens', async (t) => {
    await using issuer = await LocalIssuer.start()
    const { app, lines } = await start(t, { issuer: issuer.issuer, audience: 'api' })
    for (let sent = 0; sent < 20; sent++) await refuse(t, app, 'a.b.c')
    await refuse(t, app, await issuer.token({ claims: { aud: 'client', nonce: 'n' } }))
    t.assert.equal(lines.length, 1)
  })
})

test('each instance of the plugin logs its own hints', async (t) => {
  const one = await start(t, own)
  const two = await start(t, own)
  for (const { app, lines } of [one, two]) {
    await refuse(t, app, 'opaque')
    t.assert.equal(lines.length, 1)
  }
})

test('a refused token without kid is logged once for each issuer', async (t) => {
  await using one = await LocalIssuer.start()
  await using two = await LocalIssuer.start()
  for (const issuer of [one, two]) issuer.keys = [issuer.key.jwk, (await createKeyPair('ES256')).jwk]
  const { app, lines } = await start(t, {
    issuers: [one, two].map(({ issuer }) => ({ issuer, audience: 'api' })),
  })
  for (const issuer of [one, two]) {
    for (const kid of [null, 1, undefined, undefined]) {
      const { statusCode, body } = await call(app, await issuer.token({ header: { kid } }))
      t.assert.equal(statusCode, 401)
      t.assert.match(body, /Unable to find appropriate key/)
    }
    t.assert.equal((await call(app, await issuer.token())).statusCode, 200)
  }
  t.assert.deepEqual(
    lines.map(({ level, issuer }) => [level, issuer]),
    [
      [warn, one.issuer],
      [warn, two.issuer],
    ],
  )
  t.assert.match(
    lines[0]!.msg,
    /without kid was refused, because not exactly one key of the issuer fits.*kid into the header and into the JWK Set \(RFC 7515 section 4\.1\.4\)/,
  )
})
