import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTokenExtractor } from '../../../lib/http/authorization-header.ts'
import { JwkSet } from '../../../lib/jwks/jwk-set.ts'
import { decodeToken } from '../../../lib/jwt/token.ts'
import { call, createApp, readAnswer } from '../../helpers/app.ts'
import { LocalIssuer, unsignedToken } from '../../helpers/issuer.ts'
import { rsaKey } from '../../helpers/jwk.ts'

/** What hostile input may cost at most. Each limit is far above the present cost, and far below the cost without the rule. */

/** The time of the fastest run, in milliseconds. A busy machine makes the others slower. */
function fastest(runs: number, act: () => unknown): number {
  const times = Array.from({ length: runs }, () => {
    const startedAt = performance.now()
    act()
    return performance.now() - startedAt
  })
  return Math.min(...times)
}

/** Lists within each other. */
function nested(depth: number): unknown {
  return JSON.parse('['.repeat(depth) + ']'.repeat(depth))
}

suite('the cost of hostile input', () => {
  test('an Authorization header of 16 KB of words costs less than 50 µs', () => {
    const header = `Bearer ${'a '.repeat(8_000)}`
    const cost = fastest(100, () => createTokenExtractor(false)(header))
    assert.ok(cost < 0.05, `${cost} ms`)
  })

  test('a forged token with 11 KB of nested claims costs less than 100 µs to read', () => {
    const token = unsignedToken({ alg: 'RS256' }, { deep: nested(4_000) }, 'AA')
    const cost = fastest(100, () => decodeToken(token))
    assert.ok(cost < 0.1, `${cost} ms`)
  })

  test('a signed token that is nested 2,200 deep is refused, also by an application that would serialize its claims', async (t) => {
    await using issuer = await LocalIssuer.start()
    const app = await createApp({ issuer: issuer.issuer, audience: 'api' })
    t.after(() => app.close())
    const token = await issuer.token({ claims: { deep: nested(2_200) } })
    const { status, code } = readAnswer(await call(app, token))
    assert.deepEqual([status, code], [401, 'invalid_header'])
  })

  test('a JWK with 80,000 members costs less than 10 ms', () => {
    const members = Array.from({ length: 80_000 }, (_, index) => [`member ${index}`, 1])
    const key = { ...rsaKey({ kid: 'one' }), ...Object.fromEntries(members) }
    const cost = fastest(5, () => new JwkSet({ keys: [key] }, 'https://id.example.com/'))
    assert.ok(cost < 10, `${cost} ms`)
  })
})
