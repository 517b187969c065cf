import { test } from 'node:test'
import { Nonces } from '../../../lib/proof/nonces.ts'

const lifetime = 1_000
const start = 1_700_000_000_000
const secret = Buffer.alloc(32, 1)
const nonces = new Nonces({ secret, lifetime })

test('a nonce is accepted for its lifetime and for one more', (t) => {
  const nonce = nonces.create(start)
  t.assert.equal(nonces.accepts(nonce, start), true)
  t.assert.equal(nonces.accepts(nonce, start + 2 * lifetime - 1), true)
  t.assert.equal(nonces.accepts(nonce, start + 2 * lifetime), false)
})

test('a nonce is aging once it is older than half its lifetime', (t) => {
  const nonce = nonces.create(start)
  t.assert.equal(nonces.isAging(nonce, start + lifetime / 2), false)
  t.assert.equal(nonces.isAging(nonce, start + lifetime / 2 + 1), true)
})

test('processes with the same secret accept the nonces of each other, and others do not', (t) => {
  const nonce = nonces.create(start)
  t.assert.equal(new Nonces({ secret, lifetime }).accepts(nonce, start), true)
  t.assert.equal(new Nonces({ secret: Buffer.alloc(32, 2), lifetime }).accepts(nonce, start), false)
})

test('the nonce of a process whose clock is ahead is accepted', (t) => {
  t.assert.equal(nonces.accepts(nonces.create(start), start - lifetime), true)
  t.assert.equal(nonces.accepts(nonces.create(start), start - 2 * lifetime), false)
})

test('a changed nonce is not accepted', (t) => {
  const nonce = nonces.create(start)
  const [time, code] = nonce.split('.') as [string, string]
  const later = (start + 1).toString(36)
  const changed = [
    '',
    '.',
    time,
    `${time}.`,
    `.${code}`,
    `${later}.${code}`,
    `${time}.${code.slice(1)}`,
    'é.é',
    `${nonce}.`,
    `${nonce}.A`,
  ]
  for (const wrong of [...changed, `${time}.${'A'.repeat(43)}`, `${time}.${code}A`]) {
    t.assert.equal(nonces.accepts(wrong, start), false, wrong)
  }
})

test('a nonce has only the characters that RFC 9449 allows', (t) => {
  t.assert.match(nonces.create(start), /^[\x21\x23-\x5b\x5d-\x7e]+$/)
})
