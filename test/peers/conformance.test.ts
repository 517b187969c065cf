import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { build } from '../../docs/examples/mcp.ts'
import { LocalIssuer } from '../helpers/issuer.ts'
import { freePort } from '../../demo/ports.ts'

/**
 * The scenarios of @modelcontextprotocol/conformance that a server passes without the tools, prompts and resources of its own test
 * server. It sends no tokens, so it calls the example through a proxy that adds one.
 */

const program = join(import.meta.dirname, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')
const tooOld = Number(process.versions.node.split('.')[0]) < 22 && 'it needs Node 22'

suite('the example under @modelcontextprotocol/conformance', { skip: tooOld }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'conformance-'))
  const closing: (() => Promise<unknown>)[] = []
  let url: string

  before(async () => {
    const issuer = await LocalIssuer.start()
    const port = await freePort()
    const resource = `http://localhost:${port}/mcp`
    const app = build(issuer.issuer, resource)
    await app.listen({ port, host: 'localhost' })
    const token = await issuer.token({ claims: { aud: resource, scope: 'notes:read' } })
    const proxy = createServer((incoming, outgoing) => forward(incoming, outgoing, port, token)).listen(
      0,
      '127.0.0.1',
    )
    await once(proxy, 'listening')
    url = `http://localhost:${(proxy.address() as AddressInfo).port}/mcp`
    closing.push(
      async () => proxy.close().closeAllConnections(),
      () => app.close(),
      () => issuer.close(),
    )
  })

  after(async () => {
    for (const close of closing) await close()
    rmSync(directory, { recursive: true, force: true })
  })

  for (const scenario of ['server-initialize', 'ping', 'tools-list']) {
    test(`the example passes the conformance scenario ${scenario} behind mcpRoute`, async () => {
      // It fails with another exit code than 0.
      await promisify(execFile)(process.execPath, [
        program,
        'server',
        '--url',
        url,
        '--scenario',
        scenario,
        '--output-dir',
        directory,
      ])
    })
  }
})

function forward(incoming: IncomingMessage, outgoing: ServerResponse, port: number, token: string): void {
  const { method, url: path, headers } = incoming
  const authorization = `Bearer ${token}`
  const onward = request({ host: 'localhost', port, method, path, headers: { ...headers, authorization } })
  onward.on('response', (response) => {
    outgoing.writeHead(response.statusCode!, response.headers)
    response.pipe(outgoing)
  })
  // A stream of events ends only when its reader has gone.
  outgoing.on('close', () => onward.destroy())
  onward.on('error', () => outgoing.destroy())
  incoming.pipe(onward)
}
