import { suite, test, type TestContext } from 'node:test'
import { redisStore, type RedisClient } from '../../../lib/stores/redis.ts'

/** Clients with the method that each library documents for any command. All of them record the commands. */
function clients(reply: unknown): [library: string, client: RedisClient, commands: string[][]][] {
  const record = (commands: string[][], command: string[]): Promise<unknown> => {
    commands.push(command)
    return Promise.resolve(reply)
  }
  const glide: string[][] = []
  const ioredis: string[][] = []
  const nodeRedis: string[][] = []
  const never = (): Promise<unknown> => Promise.reject(new Error('this method takes other arguments'))
  return [
    ['valkey-glide', { customCommand: (args) => record(glide, args) }, glide],
    ['ioredis', { call: (...args) => record(ioredis, args), sendCommand: never } as RedisClient, ioredis],
    ['node-redis', { sendCommand: (args) => record(nodeRedis, args) }, nodeRedis],
  ]
}

const libraries = clients(null).map(([library]) => library)

suite('a store in Redis', () => {
  for (const [index, library] of libraries.entries()) {
    test(`with ${library}, an id is added by one SET with NX and PX`, async (t) => {
      const [, client, commands] = clients('OK')[index]!
      t.assert.equal(await redisStore(client).add('one', 60_000), true)
      t.assert.deepEqual(commands, [['SET', 'fastify-jwks-auth:one', '1', 'NX', 'PX', '60000']])
    })

    test(`with ${library}, an id that is stored is not added`, async (t) => {
      const [, client] = clients(null)[index]!
      t.assert.equal(await redisStore(client).add('one', 60_000), false)
    })

    test(`with ${library}, a value is stored by SET with PX and read by GET`, async (t) => {
      const [, client, commands] = clients('value')[index]!
      const store = redisStore(client, { prefix: 'api:' })
      t.assert.equal(await store.set('key', 'value', 1_000), undefined)
      t.assert.equal(await store.get('key'), 'value')
      t.assert.deepEqual(commands, [
        ['SET', 'api:key', 'value', 'PX', '1000'],
        ['GET', 'api:key'],
      ])
    })

    test(`with ${library}, a value that is absent is undefined`, async (t) => {
      const [, client] = clients(null)[index]!
      t.assert.equal(await redisStore(client).get('key'), undefined)
    })
  }

  test('replies in bytes mean the same as replies in text', async (t) => {
    const store = redisStore({ sendCommand: () => Promise.resolve(Buffer.from('OK')) })
    t.assert.equal(await store.add('one', 1_000), true)
    t.assert.equal(await store.get('one'), 'OK')
  })

  test('an error of the client passes through', async (t) => {
    const store = redisStore({ sendCommand: () => Promise.reject(new Error('Connection is closed.')) })
    await t.assert.rejects(store.add('one', 1_000), { message: 'Connection is closed.' })
    await t.assert.rejects(store.get('one'), { message: 'Connection is closed.' })
    await t.assert.rejects(store.set('one', 'value', 1_000), { message: 'Connection is closed.' })
  })

  const nodeRedisCluster = { sendCommand: (_key: string, _isReadonly: boolean, args: string[]) => args }
  const others: [what: string, client: unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['the URL of a server', 'redis://localhost'],
    ['an object without such a method', { get() {}, set() {} }],
    ['an object whose method is no function', { sendCommand: 'SET' }],
    ['a cluster of node-redis', nodeRedisCluster],
  ]
  for (const [what, client] of others) {
    test(`${what} instead of a client of Redis is a TypeError that says what is right`, (t: TestContext) => {
      t.assert.throws(() => redisStore(client as RedisClient), {
        name: 'TypeError',
        message:
          /redisStore\(client\) needs a client of ioredis, .* valkey-glide; for any other, .* pass \{ sendCommand\(args\) \}/,
      })
    })
  }

  const wrongOptions: [options: unknown, message: RegExp][] = [
    ['api:', /option "redisStore\(options\)" must be a plain object/],
    [{ prefx: 'api:' }, /option "prefx" is unknown; known are prefix/],
    [{ prefix: 1 }, /option "prefix" must be a string/],
  ]
  for (const [options, message] of wrongOptions) {
    test(`the options ${JSON.stringify(options)} of redisStore are a TypeError`, (t: TestContext) => {
      const client = { sendCommand: () => Promise.resolve(null) }
      t.assert.throws(() => redisStore(client, options as object), { name: 'TypeError', message })
    })
  }
})
