import { test } from 'node:test'
import { build as buildAllRoutes } from '../../../docs/examples/all-routes.ts'
import { build as buildAutoload } from '../../../docs/examples/autoload/app.ts'
import { call } from '../../helpers/app.ts'
import { setUp } from '../../helpers/recipe.ts'

// @fastify/autoload doesn't see that the runner of these tests loads TypeScript.
process.env.FASTIFY_AUTOLOAD_TYPESCRIPT = 'true'

/** The recipes about which routes require a token. */

test('with global all routes require a token, except those that say otherwise', async (t) => {
  const { issuer, app } = await setUp(t, buildAllRoutes)
  const remove = { method: 'DELETE', url: '/orders/1' } as const
  t.assert.equal((await app.inject('/orders')).statusCode, 401)
  t.assert.equal((await app.inject(remove)).statusCode, 401)
  t.assert.equal((await app.inject('/offers')).statusCode, 200)
  t.assert.equal((await app.inject('/ping')).body, 'public')
  t.assert.equal((await call(app, await issuer.token(), '/orders')).body, 'someone')
  t.assert.equal((await call(app, 'opaque', '/offers')).statusCode, 401)
  const withToken = async (claims: Record<string, unknown>): Promise<number> => {
    const headers = { authorization: `Bearer ${await issuer.token({ claims })}` }
    return (await app.inject({ ...remove, headers })).statusCode
  }
  t.assert.equal(await withToken({ scope: 'read:orders' }), 403)
  t.assert.equal(await withToken({ scope: 'write:orders' }), 200)
})

test('with @fastify/autoload the routes of one file are protected by the plugin of another file', async (t) => {
  const { issuer, app } = await setUp(t, buildAutoload)
  const remove = { method: 'DELETE', url: '/orders/1' } as const
  t.assert.equal((await app.inject('/orders')).statusCode, 401)
  t.assert.equal((await app.inject(remove)).statusCode, 401)
  t.assert.equal((await call(app, await issuer.token(), '/orders')).body, 'someone')
  const headers = { authorization: `Bearer ${await issuer.token({ claims: { scope: 'write:orders' } })}` }
  t.assert.equal((await app.inject({ ...remove, headers })).statusCode, 200)
})
