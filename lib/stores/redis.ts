import { assertNames, assertRecord, invalidOption } from '../options/assert.ts'

/** A client of Redis or Valkey. Only the method that sends any command is declared, so that no client needs to be installed. */
export type RedisClient =
  /** valkey-glide. */
  | { customCommand(args: string[]): Promise<unknown> }
  /** ioredis, iovalkey and @fastify/redis. */
  | { call(command: string, ...args: string[]): Promise<unknown> }
  /** node-redis: a client or a pool. */
  | { sendCommand(args: string[]): Promise<unknown> }

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /**
   * Precedes every key in Redis.
   *
   * @defaultValue `'fastify-jwks-auth:'`
   */
  prefix?: string
}

/** A store in Redis, for `jwks.store` and `dpop.replay`. All processes with the same Redis and prefix share it. */
export interface RedisStore {
  /**
   * Stores an id in one atomic command (`SET ... NX PX`).
   *
   * @param ttl - Milliseconds until Redis removes the id.
   * @returns Whether the id was absent.
   */
  add(id: string, ttl: number): Promise<boolean>
  /** Returns a value, or undefined if there is none. */
  get(key: string): Promise<string | undefined>
  /**
   * Stores a value, or replaces the one that is stored.
   *
   * @param ttl - Milliseconds until Redis removes the value.
   */
  set(key: string, value: string, ttl: number): Promise<void>
}

type Send = (command: string, ...args: string[]) => Promise<unknown>

/**
 * A store in Redis or Valkey. The client stays the application's: connect it before, and close it after the server.
 *
 * @param client - A client of ioredis, iovalkey, @fastify/redis, node-redis or valkey-glide.
 * @throws {TypeError}
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): RedisStore {
  const send = commandsOf(client)
  assertRecord('redisStore(options)', options)
  assertNames('', options, ['prefix'])
  const { prefix = 'fastify-jwks-auth:' } = options
  if (typeof prefix !== 'string') invalidOption('prefix', 'must be a string')
  return {
    // Some clients can be set up to answer with bytes.
    async add(id, ttl) {
      return String(await send('SET', prefix + id, '1', 'NX', 'PX', String(ttl))) === 'OK'
    },
    async get(key) {
      const value = await send('GET', prefix + key)
      return value === null || value === undefined ? undefined : String(value as string | Buffer)
    },
    async set(key, value, ttl) {
      await send('SET', prefix + key, value, 'PX', String(ttl))
    },
  }
}

/** Clients of ioredis also have a `sendCommand`, which takes an object of their own. So `call` comes first. */
function commandsOf(client: RedisClient): Send {
  if (hasMethod(client, 'customCommand')) return (...command) => client.customCommand(command)
  if (hasMethod(client, 'call')) return (...command) => client.call(...command)
  // The clusters and sentinels of node-redis expect other arguments before the command.
  if (hasMethod(client, 'sendCommand') && client.sendCommand.length <= 2) {
    return (...command) => client.sendCommand(command)
  }
  throw new TypeError(
    'fastify-jwks-auth: redisStore(client) needs a client of ioredis, iovalkey, @fastify/redis, node-redis or valkey-glide; ' +
      'for any other, such as a cluster of node-redis, pass { sendCommand(args) }, which sends the strings of one command and ' +
      'resolves to the reply',
  )
}

function hasMethod<Name extends string>(
  client: unknown,
  name: Name,
): client is Extract<RedisClient, Record<Name, unknown>> {
  return typeof (client as Record<string, unknown> | null | undefined)?.[name] === 'function'
}
