import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { isTrustworthy } from '../../../lib/jwks/urls.ts'

const http = [
  'http://id.example.com/',
  'http://10.0.0.1/',
  'http://128.0.0.1/',
  'http://127.0.0.1.example.com/',
  'http://localhost.example.com/',
  'http://notlocalhost/',
  'http://example.com#localhost',
  'http://localhost@example.com/',
  'http://[::2]/',
  'http://[::ffff:8.8.8.8]/',
]
const loopback = [
  'http://localhost/',
  'http://LOCALHOST:8080/',
  'http://127.0.0.1:8080/',
  'http://127.255.255.254/',
  'http://127.1/',
  'http://[::1]:8080/',
  'http://[0:0:0:0:0:0:0:1]/',
]
const others = ['ftp://localhost/', 'file:///keys.json', 'data:application/json,{}', 'ws://127.0.0.1/']

/** Whether a URL is trusted, without and with allowInsecureIssuers. */
function results(url: string): [strict: boolean, insecure: boolean] {
  return [isTrustworthy(new URL(url), false), isTrustworthy(new URL(url), true)]
}

suite('where keys may be fetched from', () => {
  for (const url of ['https://id.example.com/', 'https://127.0.0.1/', 'HTTPS://id.example.com']) {
    test(`${url} is trusted`, () => {
      assert.deepEqual(results(url), [true, true])
    })
  }

  for (const url of loopback) {
    test(`${url} is trusted as a loopback URL`, () => {
      assert.deepEqual(results(url), [true, true])
    })
  }

  for (const url of http) {
    test(`${url} is trusted only with allowInsecureIssuers`, () => {
      assert.deepEqual(results(url), [false, true])
    })
  }

  for (const url of others) {
    test(`${url} is never trusted`, () => {
      assert.deepEqual(results(url), [false, false])
    })
  }
})
