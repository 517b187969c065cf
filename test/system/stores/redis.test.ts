import Fastify from 'fastify'
import fastifyRedis from '@fastify/redis'
import { Redis as IoRedis } from 'ioredis'
import { Redis as IoValkey } from 'iovalkey'
import { after, before, suite, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { createClient, createClientPool } from 'redis'
import { redisStore, type RedisClient } from '../../../lib/stores/redis.ts'
import { skip, startRedis, type Redis } from '../../helpers/redis.ts'

interface Connection {
  client: RedisClient
  close: () => unknown
}

/** The clients as their libraries make them. valkey-glide is left to the unit tests, since it is built for few platforms. */
const libraries: Record<string, (path: string) => Promise<Connection>> = {
  async ioredis(path) {
    const client = new IoRedis(path)
    return { client, close: () => client.disconnect() }
  },
  async iovalkey(path) {
    const client = new IoValkey(path)
    return { client, close: () => client.disconnect() }
  },
  async '@fastify/redis'(path) {
    const app = Fastify()
    await app.register(fastifyRedis, { path })
    return { client: app.redis, close: () => app.close() }
  },
  async 'node-redis'(path) {
    const client = await createClient({ socket: { path, tls: false } }).connect()
    return { client, close: () => client.close() }
  },
  async 'a pool of node-redis'(path) {
    const client = createClientPool({ socket: { path, tls: false } })
    await client.connect()
    return { client, close: () => client.close() }
  },
}

suite('a store in a real Redis', { skip }, () => {
  let redis: Redis

  before(async () => {
    redis = await startRedis()
  })

  after(() => redis.stop())

  for (const [library, connect] of Object.entries(libraries)) {
    test(`with ${library}, one of ten simultaneous calls adds an id`, async (t) => {
      const { client, close } = await connect(redis.path)
      t.after(close)
      const store = redisStore(client, { prefix: `${library}:` })
      const added = await Promise.all(Array.from({ length: 10 }, () => store.add('one', 60_000)))
      t.assert.equal(added.filter(Boolean).length, 1)
      t.assert.equal(await store.add('other', 60_000), true)
    })

    test(`with ${library}, an id can be added again after its time`, async (t) => {
      const { client, close } = await connect(redis.path)
      t.after(close)
      const store = redisStore(client, { prefix: `${library}:` })
      t.assert.equal(await store.add('short', 20), true)
      await setTimeout(50)
      t.assert.equal(await store.add('short', 20), true)
    })

    test(`with ${library}, a value is read as it was stored, until its time ends`, async (t) => {
      const { client, close } = await connect(redis.path)
      t.after(close)
      const store = redisStore(client, { prefix: `${library}:` })
      t.assert.equal(await store.get('key'), undefined)
      await store.set('key', 'first', 60_000)
      await store.set('key', '{"text":"ü\\n\u0000"}', 20)
      t.assert.equal(await store.get('key'), '{"text":"ü\\n\u0000"}')
      await setTimeout(50)
      t.assert.equal(await store.get('key'), undefined)
    })
  }

  test('stores with the same prefix share their entries, whatever their clients are', async (t) => {
    const connections = await Promise.all(Object.values(libraries).map((connect) => connect(redis.path)))
    t.after(() => Promise.all(connections.map(({ close }) => close())))
    const stores = connections.map(({ client }) => redisStore(client))
    const added: boolean[] = []
    for (const store of stores) added.push(await store.add('shared', 60_000))
    t.assert.deepEqual(added, [true, false, false, false, false])
  })
})
