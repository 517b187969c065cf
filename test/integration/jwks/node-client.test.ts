import { execFile } from 'node:child_process'
import { once } from 'node:events'
import http, { createServer, type RequestOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { fetchJson } from '../../../lib/fetch/fetch-json.ts'
import { sendJson, LocalIssuer } from '../../helpers/issuer.ts'

type SeenOptions = RequestOptions & {
  readonly agent: { readonly options: { readonly proxyEnv?: object } }
  readonly autoSelectFamilyAttemptTimeout?: number
}

/** The options that the client passes to `http.get` for a fetch with this timeout. */
async function optionsOf(t: TestContext, timeout: number): Promise<SeenOptions> {
  await using issuer = await LocalIssuer.start()
  const get = t.mock.method(http, 'get')
  const signal = AbortSignal.timeout(10_000)
  await fetchJson(new URL(issuer.jwksUri), {
    signal,
    timeout,
    maxResponseSize: 65_536,
    dispatcher: undefined,
  })
  return get.mock.calls[0]!.arguments[1] as unknown as SeenOptions
}

suite('the HTTP client of Node', () => {
  test('a connection may take the whole timeout, also if the host has IPv4 and IPv6 addresses', async (t) => {
    const { autoSelectFamilyAttemptTimeout } = await optionsOf(t, 7_000)
    t.assert.equal(autoSelectFamilyAttemptTimeout, 7_000)
  })

  test('each fetch has an agent of its own, with the proxy of the global agent and none of its other options', async (t) => {
    const proxyEnv = { NO_PROXY: '127.0.0.1' }
    const global = Object.assign(new http.Agent({ keepAlive: true }), {
      options: { keepAlive: true, rejectUnauthorized: false, proxyEnv },
    })
    t.mock.getter(http, 'globalAgent', () => global)
    const { agent } = await optionsOf(t, 1_000)
    t.assert.notEqual(agent, global)
    const { noDelay: _noDelay, path: _path, ...options } = agent.options as Record<string, unknown>
    t.assert.equal(options.proxyEnv, proxyEnv)
    t.assert.equal(options.keepAlive, undefined)
    t.assert.equal(options.rejectUnauthorized, undefined)
  })

  test('NODE_USE_ENV_PROXY is followed exactly where Node follows it, from version 24 on', async (t) => {
    const proxy = createServer(sendJson('through the proxy')).listen(0, '127.0.0.1')
    t.after(() => proxy.close())
    await once(proxy, 'listening')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', join(import.meta.dirname, 'proxied-fetch.ts'), 'http://id.invalid/keys'],
      {
        env: {
          ...process.env,
          NODE_USE_ENV_PROXY: '1',
          HTTP_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
          NO_PROXY: '',
        },
      },
    )
    const { plugin, node } = JSON.parse(stdout) as { plugin: string; node: string }
    t.assert.equal(plugin, node)
    if (Number.parseInt(process.versions.node, 10) >= 24) t.assert.equal(plugin, 'through the proxy')
  })
})
