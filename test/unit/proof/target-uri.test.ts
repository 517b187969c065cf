import { suite, test } from 'node:test'
import { isTargetUri } from '../../../lib/proof/target-uri.ts'

const root = 'https://api.example.com'
const matches = (htu: string, originalUrl: string, ...baseUrls: string[]): boolean =>
  isTargetUri(htu, baseUrls.length > 0 ? baseUrls : [root], originalUrl)

suite('an htu names the target', () => {
  const rows: [what: string, htu: string, originalUrl: string][] = [
    ['that is written in the same way', `${root}/a/b`, '/a/b'],
    ['with a scheme and a host in capitals', 'HTTPS://API.Example.COM/a', '/a'],
    ['with the default port', `${root}:443/a`, '/a'],
    ['without a slash for the root', root, '/'],
    ['with a slash for the root', `${root}/`, '/'],
    ['of which the request has a query', `${root}/a`, '/a?b=1'],
    ['of which the request has a fragment', `${root}/a`, '/a#b'],
    ['with a query of its own', `${root}/a?x`, '/a?b'],
    ['with a fragment of its own', `${root}/a#x`, '/a'],
    ['with an encoded letter', `${root}/%61%7Eb`, '/a~b'],
    ['of which the request has an encoded letter', `${root}/a~b`, '/%61%7eb'],
    ['with hexadecimal digits in lower case', `${root}/a%2fb%c3%a9`, '/a%2Fb%C3%A9'],
    ['with dot segments', `${root}/x/../a/./b`, '/a/b'],
    ['with encoded dot segments', `${root}/x/%2e%2E/a`, '/a'],
    ['of which the request line is a whole URI', `${root}/a`, 'https://api.example.com/a?b'],
    ['of which the request line is a URI of another host', `${root}/a`, 'http://elsewhere.example/a'],
    ['of which the request line is a URI without a path', `${root}/`, 'http://elsewhere.example?a'],
    ['with a colon in the path', `${root}/a:b@c`, '/a:b@c'],
  ]
  for (const [what, htu, originalUrl] of rows) {
    test(`an htu ${what} matches`, (t) => t.assert.equal(matches(htu, originalUrl), true))
  }
})

suite('an htu of something else', () => {
  const rows: [what: string, htu: string, originalUrl: string][] = [
    ['another path', `${root}/b`, '/a'],
    ['a longer path', `${root}/a/b`, '/a'],
    ['a slash at the end', `${root}/a/`, '/a'],
    ['the case of the path', `${root}/A`, '/a'],
    ['another host', 'https://other.example/a', '/a'],
    ['another port', `${root}:8443/a`, '/a'],
    ['another scheme', 'http://api.example.com/a', '/a'],
    ['the port of another scheme', `${root}:80/a`, '/a'],
    ['a longer host', 'https://api.example.com.evil.example/a', '/a'],
    ['a user', 'https://user@api.example.com/a', '/a'],
    ['a password', 'https://:secret@api.example.com/a', '/a'],
    ['an encoded slash', `${root}/a%2Fb`, '/a/b'],
    ['an encoded percent sign', `${root}/a%2561`, '/aa'],
    ['a path without a host', '/a', '/a'],
    ['an empty text', '', '/a'],
    ['no scheme', '//api.example.com/a', '/a'],
    ['one slash after the scheme', 'https:/api.example.com/a', '/a'],
    ['backslashes', 'https:\\\\api.example.com\\a', '/a'],
    ['a space', ` ${root}/a`, '/a'],
    ['a tab, which URL removes', `${root}/\ta`, '/a'],
    ['a line feed, which URL removes', `${root}/a\n`, '/a'],
    ['characters that are not ASCII', `${root}/é`, '/%C3%A9'],
    ['no URL', 'https://[/a', '/a'],
    ['the query as a path', `${root}/a`, '/b?/a'],
    [
      'the root, where the request line has no path and a slash in its query',
      `${root}/`,
      'http://elsewhere.example?/a',
    ],
    ['a path that the request reaches by dot segments', `${root}/a`, '/x/../a'],
    ['a path that the request reaches by an encoded dot segment', `${root}/a`, '/x/%2E%2e/a'],
    ['a path that the request repeats with dots', `${root}/a/`, '/a/.'],
    ['a request for no path', `${root}/`, '*'],
    [
      'a request whose target would change the host',
      'https://api.example.com.evil.example/',
      '.evil.example/',
    ],
    ['a request whose target would make the host a user', 'https://evil.example/', '@evil.example/'],
  ]
  for (const [what, htu, originalUrl] of rows) {
    test(`an htu does not match for ${what}`, (t) => t.assert.equal(matches(htu, originalUrl), false))
  }
})

test('the path prefix of a gateway is part of the htu', (t) => {
  t.assert.equal(matches(`${root}/v1/a`, '/a', `${root}/v1`), true)
  t.assert.equal(matches(`${root}/a`, '/a', `${root}/v1`), false)
  t.assert.equal(matches(`${root}/v1`, '/', `${root}/v1`), false)
})

test('one of several base URLs has to match', (t) => {
  t.assert.equal(matches('http://b.example/a', '/a', root, 'http://b.example'), true)
  t.assert.equal(matches('http://c.example/a', '/a', root, 'http://b.example'), false)
})
