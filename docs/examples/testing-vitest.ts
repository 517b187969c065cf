// #region first
import type { FastifyInstance } from 'fastify'
import { createTestIssuer, openRoutes, type TestIssuer } from 'fastify-jwks-auth/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { build } from './testing-app.ts'

let issuer: TestIssuer
let app: FastifyInstance

beforeEach(async () => {
  issuer = await createTestIssuer()
  app = await build(issuer.options)
})

afterEach(async () => {
  vi.useRealTimers()
  await app.close()
  await issuer.close()
})

const ping = (token: string) =>
  app.inject({ url: '/secured/ping', headers: { authorization: `Bearer ${token}` } })

test('a token with the scope is accepted', async () => {
  const response = await ping(issuer.token({ sub: 'Ada', scope: 'read:ping' }))
  expect(response.statusCode).toBe(200)
  expect(response.body).toBe('hello Ada')
})
// #endregion

// #region open
test('every route needs a token, except these', async () => {
  expect(await openRoutes(() => build(issuer.options))).toEqual(['GET /ping'])
})
// #endregion

// #region bad
test.for([
  ['expired', () => issuer.token({}, { expiresIn: -60_000 })],
  ['forged', () => issuer.token({}, { forged: true })],
  ['for another audience', () => issuer.token({ aud: 'another' })],
] as const)('a token %s is refused', async ([, token]) => {
  expect((await ping(token())).statusCode).toBe(401)
})
// #endregion

// #region expiry
test('a token works until it expires', async () => {
  const token = issuer.token({ scope: 'read:ping' }, { expiresIn: 60_000 })
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.advanceTimersByTime(59_000)
  expect((await ping(token)).statusCode).toBe(200)
  // The plugin adds clockTolerance, five seconds by default.
  vi.advanceTimersByTime(7_000)
  expect((await ping(token)).json()).toMatchObject({ code: 'token_expired' })
})
// #endregion
