import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeToken } from '../../../lib/jwt/token.ts'

test('a token of 65,536 characters is read, and a longer one is refused before it is decoded', (t) => {
  const token = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.e30.`
  const longest = token.padEnd(65_536, 'A')
  assert.deepEqual(decodeToken(longest), { header: { alg: 'RS256' }, claims: {} })
  const { mock } = t.mock.method(JSON, 'parse')
  assert.equal(decodeToken(`${longest}A`), undefined)
  assert.equal(mock.callCount(), 0)
})
