import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { suite, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createKeyPair, LocalIssuer } from '../../helpers/issuer.ts'
import { skip, startRedis, type Redis } from '../../helpers/redis.ts'

const program = fileURLToPath(new URL('server.ts', import.meta.url))

interface Server {
  child: ChildProcess
  /** The status of a request with a token. */
  ask: (token: string) => Promise<number>
}

/** An issuer, a Redis, and processes that share the keys in it. */
class Setting {
  readonly issuer: LocalIssuer
  readonly redis: Redis
  readonly #jwks: object
  readonly #servers = new Set<Server>()

  private constructor(issuer: LocalIssuer, redis: Redis, jwks: object) {
    this.issuer = issuer
    this.redis = redis
    this.#jwks = jwks
  }

  static async start(t: TestContext, jwks: object = {}): Promise<Setting> {
    const setting = new Setting(await LocalIssuer.start(), await startRedis(), jwks)
    t.after(async () => {
      await setting.kill()
      await Promise.all([setting.redis.stop(), setting.issuer.close()])
    })
    return setting
  }

  async startServers(count: number): Promise<Server[]> {
    const servers: Server[] = []
    // A few at a time, since each start takes a second of a processor.
    while (servers.length < count) {
      const missing = Math.min(4, count - servers.length)
      servers.push(...(await Promise.all(Array.from({ length: missing }, () => this.#startServer()))))
    }
    return servers
  }

  async #startServer(): Promise<Server> {
    const args = [this.issuer.issuer, this.redis.path, JSON.stringify(this.#jwks)]
    const child = fork(program, args, { execArgv: ['--import', 'tsx'] })
    const [origin] = (await once(child, 'message')) as [string]
    const server: Server = {
      child,
      async ask(token) {
        const response = await fetch(origin, { headers: { authorization: `Bearer ${token}` } })
        await response.text()
        return response.status
      },
    }
    this.#servers.add(server)
    return server
  }

  /** Kills all processes, without a chance to end in order. */
  async kill(): Promise<void> {
    const ended = Array.from(this.#servers, async ({ child }) => {
      child.kill('SIGKILL')
      await once(child, 'close')
    })
    this.#servers.clear()
    await Promise.all(ended)
  }

  unknown(): Promise<string> {
    return this.issuer.token({ header: { kid: crypto.randomUUID() } })
  }
}

/** Milliseconds that a promise takes. */
async function timeOf(promise: Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await promise
  return performance.now() - startedAt
}

suite('processes that share keys in a real Redis', { skip }, () => {
  test('twenty processes under traffic with unknown kids fetch at most three times in an interval', async (t: TestContext) => {
    const interval = 10_000
    const setting = await Setting.start(t, { refreshInterval: interval, cooldown: interval })
    const servers = await setting.startServers(20)
    const token = await setting.issuer.token()
    t.assert.deepEqual(new Set(await Promise.all(servers.map(({ ask }) => ask(token)))), new Set([200]))
    t.assert.equal(setting.issuer.fetches, 1)

    const end = performance.now() + interval
    const traffic = servers.map(async ({ ask }) => {
      while (performance.now() < end) {
        t.assert.equal(await ask(token), 200)
        t.assert.equal(await ask(await setting.unknown()), 401)
        await sleep(100)
      }
    })
    await Promise.all(traffic)
    const fetches = setting.issuer.fetches - 1
    t.diagnostic(`${fetches} fetches in an interval`)
    t.assert.ok(fetches >= 1 && fetches <= 3, `${fetches} fetches`)
  })

  test('while the issuer is down, processes that are killed and started again accept tokens and refuse forged ones', async (t: TestContext) => {
    const setting = await Setting.start(t)
    const token = await setting.issuer.token()
    const forged = await setting.issuer.token({
      key: await createKeyPair('ES256', setting.issuer.key.jwk.kid),
    })
    for (const { ask } of await setting.startServers(3)) t.assert.equal(await ask(token), 200)
    await setting.issuer.close()
    await setting.kill()
    const started = await setting.startServers(3)
    const statuses = await Promise.all(
      started.flatMap(({ ask }) =>
        Array.from({ length: 20 }, (_, index) => ask(index % 2 === 0 ? token : forged)),
      ),
    )
    t.assert.deepEqual(statuses, Array(30).fill([200, 401]).flat())
  })

  test('while the issuer and Redis are down, processes that start answer as without a store', async (t: TestContext) => {
    const setting = await Setting.start(t)
    const token = await setting.issuer.token()
    await setting.redis.stop()
    const [running] = await setting.startServers(1)
    t.assert.equal(await running!.ask(token), 200)
    await setting.issuer.close()
    const [started] = await setting.startServers(1)
    t.assert.equal(await started!.ask(token), 503)
    t.assert.equal(await running!.ask(token), 200)
  })

  test('while Redis hangs, the first token waits at most half a second more, and no other one waits', async (t: TestContext) => {
    const setting = await Setting.start(t)
    const token = await setting.issuer.token()
    const [server] = await setting.startServers(1)
    setting.redis.hang()
    const first = await timeOf(server!.ask(token))
    const second = await timeOf(server!.ask(await setting.unknown()))
    setting.redis.resume()
    t.diagnostic(`the first token took ${Math.round(first)} ms, the next fetch ${Math.round(second)} ms`)
    t.assert.ok(first > 450 && first < 1_000, `${first} ms`)
    t.assert.ok(second < 400, `${second} ms`)
    t.assert.equal(await server!.ask(token), 200)
  })

  test('a key that one process has learnt works at once in the others', async (t: TestContext) => {
    const setting = await Setting.start(t)
    const [one, other] = (await setting.startServers(2)) as [Server, Server]
    const token = await setting.issuer.token()
    for (const { ask } of [one, other]) t.assert.equal(await ask(token), 200)
    for (let count = 0; count < 5; count += 1) t.assert.equal(await one.ask(await setting.unknown()), 401)
    const before = setting.issuer.fetches
    t.assert.ok(before <= 3)
    const key = await createKeyPair('ES256')
    setting.issuer.keys = [...setting.issuer.keys, key.jwk]
    const next = await setting.issuer.token({ key })
    t.assert.equal(await one.ask(next), 401)
    await sleep(10_000)
    t.assert.equal(await other.ask(next), 200)
    await sleep(50)
    t.assert.equal(await one.ask(next), 200)
    t.assert.equal(setting.issuer.fetches, before + 1)
  })
})
