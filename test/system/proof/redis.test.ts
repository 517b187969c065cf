import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { suite, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import { Redis as IoRedis } from 'ioredis'
import { Redis as IoValkey } from 'iovalkey'
import { createClient } from 'redis'
import jwksAuth, { authenticate, type JwksAuthOptions } from '../../../lib/index.ts'
import { redisStore, type RedisClient } from '../../../lib/stores/redis.ts'
import { createDPoPClient, createTestIssuer } from '../../../lib/testing/index.ts'
import { skip, startRedis } from '../../helpers/redis.ts'

/** Used proofs in a real Redis that several servers share. */

const program = fileURLToPath(new URL('redis-server.ts', import.meta.url))
const client = createDPoPClient()
const url = 'https://api.example.com/me'

async function startServer(t: TestContext, ...args: string[]): Promise<string> {
  const child: ChildProcess = fork(program, args, { execArgv: ['--import', 'tsx'] })
  const ended = once(child, 'close')
  t.after(async () => {
    child.kill()
    await ended
  })
  return ((await once(child, 'message')) as [string])[0]
}

async function answerOf(
  origin: string,
  headers: Record<string, string>,
): Promise<[status: number, nonce: string]> {
  const response = await fetch(`${origin}/me`, { headers })
  await response.arrayBuffer()
  return [response.status, response.headers.get('dpop-nonce') ?? '']
}

suite('used proofs in a real Redis', { skip }, () => {
  test('two server processes with one Redis accept one of 200 copies of a proof', async (t) => {
    const redis = await startRedis()
    const issuer = await createTestIssuer()
    t.after(() => Promise.all([redis.stop(), issuer.close()]))
    const args = [issuer.issuer, redis.path, 'a secret of thirty-two bytes or more']
    const [here, there] = await Promise.all([startServer(t, ...args), startServer(t, ...args)])
    const token = issuer.token({}, { boundTo: client })
    const [refused, nonce] = await answerOf(here, client.headers({ url, token }))
    t.assert.equal(refused, 401)

    // A proof that one process accepted is refused by the other.
    const headers = client.headers({ url, token, nonce })
    t.assert.equal((await answerOf(here, headers))[0], 200)
    t.assert.equal((await answerOf(there, headers))[0], 401)

    const copied = client.headers({ url, token, nonce })
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => answerOf(index % 2 === 0 ? here : there, copied)),
    )
    const statuses = answers.map(([status]) => status)
    t.assert.equal(statuses.filter((status) => status === 200).length, 1)
    t.assert.equal(statuses.filter((status) => status === 401).length, 199)

    // Without Redis nobody knows whether a proof was used.
    await redis.stop()
    for (const origin of [here, there]) {
      t.assert.equal((await answerOf(origin, client.headers({ url, token, nonce })))[0], 503)
      t.assert.notEqual((await answerOf(origin, copied))[0], 200)
    }
  })

  const libraries: Record<string, (path: string) => Promise<{ redis: RedisClient; close: () => unknown }>> = {
    async ioredis(path) {
      const redis = new IoRedis(path, { maxRetriesPerRequest: 1 })
      redis.on('error', () => {})
      return { redis, close: () => redis.disconnect() }
    },
    async iovalkey(path) {
      const redis = new IoValkey(path, { maxRetriesPerRequest: 1 })
      redis.on('error', () => {})
      return { redis, close: () => redis.disconnect() }
    },
    async 'node-redis'(path) {
      const redis = createClient({ socket: { path, tls: false }, disableOfflineQueue: true })
      redis.on('error', () => {})
      await redis.connect()
      return { redis, close: () => redis.destroy() }
    },
  }
  for (const [library, connect] of Object.entries(libraries)) {
    test(`with ${library}, a proof is accepted by one of two servers, and by none while Redis is stopped`, async (t) => {
      const server = await startRedis()
      const issuer = await createTestIssuer()
      const connections = await Promise.all([connect(server.path), connect(server.path)])
      const apps = await Promise.all(
        connections.map(async ({ redis }) => {
          const app = Fastify()
          const dpop = { baseUrl: 'https://api.example.com', replay: redisStore(redis) }
          await app.register(jwksAuth, {
            ...issuer.options,
            jwks: { timeout: 2_000 },
            dpop,
          } as JwksAuthOptions)
          app.get('/me', { onRequest: authenticate }, async () => 'me')
          return app
        }),
      )
      t.after(async () => {
        for (const { close } of connections) await close()
        await Promise.all([server.stop(), issuer.close(), ...apps.map((app) => app.close())])
      })
      const token = issuer.token({}, { boundTo: client })
      const headers = client.headers({ url, token })
      const statuses = await Promise.all(
        Array.from(
          { length: 50 },
          async (_, index) => (await apps[index % 2]!.inject({ url: '/me', headers })).statusCode,
        ),
      )
      t.assert.equal(statuses.filter((status) => status === 200).length, 1)
      await server.stop()
      for (const app of apps) {
        const answer = await app.inject({ url: '/me', headers: client.headers({ url, token }) })
        t.assert.equal(answer.statusCode, 503)
        t.assert.equal(answer.json<{ code: string }>().code, 'replay_store_unavailable')
      }
    })
  }
})
