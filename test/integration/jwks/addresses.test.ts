import { fork } from 'node:child_process'
import dns from 'node:dns'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { suite, test, type TestContext } from 'node:test'
import { fetchJson } from '../../../lib/jwks/fetch-json.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

/** A host with an IPv6 and an IPv4 address. The first one answers no attempt to connect until the server resumes. */
async function startSlowAddress(t: TestContext, port: number): Promise<{ readonly resume: () => void }> {
  const server = fork(join(import.meta.dirname, 'slow-server.mjs'), ['::1', `${port}`])
  await once(server, 'message')
  server.kill('SIGSTOP')
  // Linux drops attempts to connect while the queue is full.
  const queued = Array.from({ length: 4 }, () => connect(port, '::1').on('error', () => {}))
  await Promise.all(queued.slice(0, 2).map((socket) => once(socket, 'connect')))
  t.after(() => {
    for (const socket of queued) socket.destroy()
    server.kill('SIGKILL')
  })
  const addresses = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ]
  const lookup = (
    _host: string,
    { all, family }: dns.LookupOptions,
    callback: (error: null, ...result: unknown[]) => void,
  ): void => {
    const { address } = addresses.find((each) => each.family === family) ?? addresses[0]!
    setImmediate(() => (all ? callback(null, addresses) : callback(null, address, family)))
  }
  t.mock.method(dns, 'lookup', lookup as typeof dns.lookup)
  return { resume: () => server.kill('SIGCONT') }
}

const get = (port: number): Promise<unknown> =>
  fetchJson(new URL(`http://id.example.com:${port}/jwks`), {
    signal: AbortSignal.timeout(5_000),
    timeout: 5_000,
    maxResponseSize: 65_536,
    dispatcher: undefined,
  }).then(({ document }) => document)

suite(
  'a host with an IPv6 and an IPv4 address',
  { skip: process.platform !== 'linux' && 'it needs Linux' },
  () => {
    test('an address that does not answer does not keep the other one from being used', async (t) => {
      await using issuer = await LocalIssuer.start()
      await startSlowAddress(t, issuer.port)
      t.assert.deepEqual(await get(issuer.port), { keys: issuer.keys })
      t.assert.equal(issuer.fetches, 1)
    })

    test('a connection may take longer than 250 ms if the other address refuses it', async (t) => {
      const gone = await LocalIssuer.start()
      await gone.close()
      const { resume } = await startSlowAddress(t, gone.port)
      const document = get(gone.port)
      await setTimeout(500)
      resume()
      t.assert.equal(await document, 'slow')
    })
  },
)
