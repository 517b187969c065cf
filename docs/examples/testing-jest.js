// #region first
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createTestIssuer } from 'fastify-jwks-auth/testing'
import { build } from './testing-app.js'

let issuer, app, origin

beforeEach(async () => {
  issuer = await createTestIssuer()
  app = await build(issuer.options)
  origin = await app.listen({ port: 0, host: '127.0.0.1' })
})

afterEach(async () => {
  jest.restoreAllMocks()
  await app.close()
  await issuer.close()
})

const ping = (token) => fetch(`${origin}/secured/ping`, { headers: { authorization: `Bearer ${token}` } })

test('a token with the scope is accepted', async () => {
  const response = await ping(issuer.token({ sub: 'Ada', scope: 'read:ping' }))
  expect(response.status).toBe(200)
  expect(await response.text()).toBe('hello Ada')
})
// #endregion

// #region expiry
test('a token works until it expires', async () => {
  const token = issuer.token({ scope: 'read:ping' }, { expiresIn: 60_000 })
  const time = Date.now()
  const now = jest.spyOn(Date, 'now').mockReturnValue(time + 59_000)
  expect((await ping(token)).status).toBe(200)
  // The plugin adds clockTolerance, five seconds by default.
  now.mockReturnValue(time + 66_000)
  expect(await (await ping(token)).json()).toMatchObject({ code: 'token_expired' })
})
// #endregion
