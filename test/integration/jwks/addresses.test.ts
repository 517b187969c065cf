import { fork } from 'node:child_process'
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { suite, test, type TestContext } from 'node:test'
import { fetchJson } from '../../../lib/fetch/fetch-json.ts'
import { LocalIssuer } from '../../helpers/issuer.ts'

/** A host with an IPv6 and an IPv4 address. This one is tried first, and answers no attempt to connect until the server resumes. */
async function startSlowAddress(
  t: TestContext,
  slow: string,
  port: number,
): Promise<{ readonly resume: () => void }> {
  const server = fork(join(import.meta.dirname, 'slow-server.mjs'), [slow, `${port}`])
  await once(server, 'message')
  server.kill('SIGSTOP')
  // Linux drops attempts to connect while the queue is full.
  const queued = Array.from({ length: 4 }, () => connect(port, slow).on('error', () => {}))
  await Promise.all(queued.slice(0, 2).map((socket) => once(socket, 'connect')))
  t.after(() => {
    for (const socket of queued) socket.destroy()
    server.kill('SIGKILL')
  })
  const addresses = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ].toSorted((one) => (one.address === slow ? -1 : 1))
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
    for (const [slow, other] of [
      ['::1', '127.0.0.1'],
      ['127.0.0.1', '::1'],
    ] as const) {
      test(`${other} is used if ${slow} does not answer, and only one request is sent`, async (t) => {
        let requests = 0
        const server = createServer((_request, response) => {
          requests += 1
          response.end('"quick"')
        }).listen(0, other)
        t.after(() => server.close())
        await once(server, 'listening')
        const { port } = server.address() as AddressInfo
        await startSlowAddress(t, slow, port)
        t.assert.equal(await get(port), 'quick')
        t.assert.equal(requests, 1)
      })
    }

    test('a connection may take longer than 250 ms if the other address refuses it', async (t) => {
      const gone = await LocalIssuer.start()
      await gone.close()
      const { resume } = await startSlowAddress(t, '::1', gone.port)
      const document = get(gone.port)
      await setTimeout(500)
      resume()
      t.assert.equal(await document, 'slow')
    })
  },
)
