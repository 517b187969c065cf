import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from '../../../docs/examples/revocation.ts'
import { call, readAnswer } from '../../helpers/app.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'
import { skip, startRedis } from '../../helpers/redis.ts'
import { setUp } from '../../helpers/recipe.ts'

const program = fileURLToPath(new URL('revocation-server.ts', import.meta.url))

async function startServer(...args: string[]): Promise<{ child: ChildProcess; origin: string }> {
  const child = fork(program, args, { execArgv: ['--import', 'tsx'] })
  const [origin] = (await once(child, 'message')) as [string]
  return { child, origin }
}

suite('a deny-list in Redis', { skip }, () => {
  test('a token that one process has revoked is refused by another process', async (t) => {
    const redis = await startRedis()
    const issuer = await LocalIssuer.start()
    const servers = await Promise.all([1, 2].map(async () => startServer(issuer.issuer, redis.path)))
    t.after(async () => {
      for (const { child } of servers) {
        child.kill()
        await once(child, 'close')
      }
      await Promise.all([redis.stop(), issuer.close()])
    })
    const [here, there] = servers.map(({ origin }) => origin) as [string, string]
    const status = async (url: string, token: string, method = 'GET'): Promise<number> =>
      (await fetch(url, { method, headers: { authorization: `Bearer ${token}` } })).status
    const token = await issuer.token({ claims: { jti: 'one' } })
    const other = await issuer.token({ claims: { jti: 'other' } })

    for (const origin of [here, there]) t.assert.equal(await status(`${origin}/me`, token), 200)
    t.assert.equal(await status(`${here}/logout`, token, 'POST'), 204)
    for (const origin of [here, there]) {
      t.assert.equal(await status(`${origin}/me`, token), 401)
      t.assert.equal(await status(`${origin}/me`, other), 200)
    }
  })

  test('a revoked token is stored in Redis by its jti until it expires', async (t) => {
    const redis = await startRedis()
    t.after(() => redis.stop())
    const { issuer, app } = await setUp(t, (options) => build(options, redis.path))
    t.assert.equal(readAnswer(await call(app, await issuer.token(), '/me')).code, 'invalid_claims')
    const claims = issuer.claims({ jti: 'one' })
    const token = await issuer.token({ claims })
    const headers = { authorization: `Bearer ${token}` }
    await app.inject({ method: 'POST', url: '/logout', headers })
    t.assert.deepEqual(readAnswer(await call(app, token, '/me')), {
      status: 401,
      code: 'token_revoked',
      message: 'token has been revoked',
      challenge: 'Bearer realm="api", error="invalid_token"',
    })
    const key = `revoked ${issuer.issuer} one`
    t.assert.deepEqual(await app.redis.keys('*'), [key])
    t.assert.equal(await app.redis.expiretime(key), (claims.exp as number) + 60)
  })

  test('every token is refused while Redis is unavailable', async (t) => {
    const redis = await startRedis()
    const { issuer, app } = await setUp(t, (options) => build(options, redis.path))
    const token = await issuer.token({ claims: { jti: 'one' } })
    t.assert.equal((await call(app, token, '/me')).statusCode, 200)
    await redis.stop()
    t.assert.equal((await call(app, token, '/me')).statusCode, 500)
  })
})
