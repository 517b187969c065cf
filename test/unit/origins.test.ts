import { suite, test } from 'node:test'
import { Origins, type Origin } from '../../lib/origins.ts'
import type { Verifier } from '../../lib/issuers/key-verifier.ts'

const issuer = 'https://issuer.example.com/'

function createOrigin(by = issuer, until = Infinity): Origin {
  const verifier: Verifier = {
    issuer: by,
    rules: {} as Verifier['rules'],
    verify: () => undefined,
    until,
  }
  return { header: { alg: 'RS256' }, verifier }
}

const encode = (part: string | object): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

function tokenOf(claims: string | object, header: object = { alg: 'RS256', kid: 'a' }): string {
  return `${encode(header)}.${encode(claims)}.c2lnbmF0dXJl`
}

suite('a token whose origin is told', () => {
  for (const [title, claims] of [
    ['at the beginning', (n: number) => ({ iss: issuer, n })],
    ['in the middle', (n: number) => ({ jti: String(n), iss: issuer, n })],
    ['at the end', (n: number) => ({ jti: `${n}${n}`, iss: issuer })],
  ] as const) {
    test(`begins like one that was verified, with iss ${title}`, (t) => {
      const origins = new Origins()
      const origin = createOrigin()
      t.assert.equal(origins.find(tokenOf(claims(1))), undefined)
      origins.remember(tokenOf(claims(1)), origin, 0)
      t.assert.equal(origins.find(tokenOf(claims(2)))!.verifier, origin.verifier)
      t.assert.equal(origins.find(tokenOf(claims(2)))!.header, origin.header)
    })
  }

  const others: [title: string, token: string][] = [
    ['another header', tokenOf({ iss: issuer }, { alg: 'RS256', kid: 'b' })],
    ['a longer header', tokenOf({ iss: issuer }, { alg: 'RS256', kid: 'a', crit: [] })],
    ['another issuer', tokenOf({ iss: 'https://another.example.com/' })],
    ['a longer issuer', tokenOf({ iss: `${issuer}realms/acme` })],
    ['an issuer that is longer by one character', tokenOf({ iss: `${issuer}1` })],
    ['an issuer that ends in another way', tokenOf({ iss: `${issuer.slice(0, -1)}x` })],
    ['iss at another place', tokenOf({ sub: 'x', iss: issuer })],
    ['iss written in another way', tokenOf(`{ "iss": "${issuer}" }`)],
    ['no iss', tokenOf({})],
    ['no claims', `${tokenOf({}).split('.')[0]}..c2lnbmF0dXJl`],
    ['no more than a header', tokenOf({}).split('.')[0]!],
    ['nothing', ''],
  ]
  for (const [title, token] of others) {
    test(`is not one with ${title}`, (t) => {
      const origins = new Origins()
      origins.remember(tokenOf({ iss: issuer, sub: 'someone' }), createOrigin(), 0)
      t.assert.equal(origins.find(token), undefined)
    })
  }

  test('is not one whose claims are no UTF-8, or written with loose bits', (t) => {
    const origins = new Origins()
    origins.remember(tokenOf({ iss: issuer, sub: 'some' }), createOrigin(), 0)
    const [header, , signature] = tokenOf({}).split('.')
    const bytes = Buffer.from(JSON.stringify({ iss: issuer, sub: 'some' }))
    bytes[bytes.length - 4] = 0xff
    t.assert.equal(origins.find(`${header}.${bytes.toString('base64url')}.${signature}`), undefined)
    const loose = JSON.stringify({ iss: issuer, sub: 'some' }) + ' '.repeat(2 - ((bytes.length + 1) % 3))
    const segment = encode(loose)
    t.assert.notEqual(segment.length % 4, 0)
    t.assert.notEqual(origins.find(`${header}.${segment}.${signature}`), undefined)
    const last = String.fromCharCode(segment.charCodeAt(segment.length - 1) + 1)
    t.assert.equal(origins.find(`${header}.${segment.slice(0, -1)}${last}.${signature}`), undefined)
  })
})

suite('what is remembered', () => {
  const claims = { iss: issuer }

  test('stays the first of issuers that share a header, until its key is to be asked for again', (t) => {
    const origins = new Origins()
    const [first, second] = [createOrigin(issuer, 10), createOrigin('https://b.example.com/')]
    const ofSecond = tokenOf({ iss: 'https://b.example.com/' })
    origins.remember(tokenOf(claims), first, 0)
    origins.remember(ofSecond, second, 9)
    t.assert.equal(origins.find(tokenOf(claims))!.verifier, first.verifier)
    t.assert.equal(origins.find(ofSecond), undefined)
    origins.remember(ofSecond, second, 10)
    t.assert.equal(origins.find(ofSecond)!.verifier, second.verifier)
  })

  test('is nothing of a token whose iss is written in a way of its own', (t) => {
    const origins = new Origins()
    const token = tokenOf(`{ "iss": "${issuer}" }`)
    origins.remember(token, createOrigin(), 0)
    t.assert.equal(origins.find(token), undefined)
  })

  test('has short headers', (t) => {
    const origins = new Origins()
    const token = tokenOf(claims, { kid: 'x'.repeat(1_000) })
    origins.remember(token, createOrigin(), 0)
    t.assert.equal(origins.find(token), undefined)
  })

  test('has one hundred headers at most', (t) => {
    const origins = new Origins()
    const tokens = Array.from({ length: 101 }, (_, kid) => tokenOf(claims, { kid }))
    for (const token of tokens) {
      origins.remember(token, createOrigin(), 0)
      if (token === tokens[99]) t.assert.equal(tokens.filter((one) => origins.find(one)).length, 100)
    }
    t.assert.deepEqual(
      tokens.filter((one) => origins.find(one)),
      [tokens[100]],
    )
  })
})
