import { test } from 'node:test'
import { build } from '../../../docs/examples/store-redis.ts'
import { call } from '../../helpers/app.ts'
import { LocalIssuer, until } from '../../helpers/issuer.ts'
import { skip, startRedis } from '../../helpers/redis.ts'

test(
  'with the store in Redis, a server that starts while the issuer is down accepts tokens',
  { skip },
  async (t) => {
    const redis = await startRedis()
    const issuer = await LocalIssuer.start()
    const token = await issuer.token()
    const options = { issuer: issuer.issuer, audience: 'api' }
    const before = await build(options, redis.path, 's'.repeat(32))
    t.after(async () => {
      await Promise.all([before.close(), issuer.close()])
      await redis.stop()
    })
    t.assert.equal((await call(before, token, '/me')).statusCode, 200)
    await until(async () => (await before.redis.keys('fastify-jwks-auth:jwks-answer-*')).length === 1)
    await issuer.close()
    const after = await build(options, redis.path, 's'.repeat(32))
    t.assert.equal((await call(after, token, '/me')).statusCode, 200)
    await after.close()
  },
)
