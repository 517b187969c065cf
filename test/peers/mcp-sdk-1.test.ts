import { test } from 'node:test'
import Fastify from 'fastify'
import { startIssuer } from '../../demo/issuer.ts'
import { build } from '../../docs/examples/mcp.ts'
import jwksAuth from '../../lib/index.ts'
import { mcpRoute } from '../../lib/mcp/index.ts'
import { McpClient, type McpSdk } from '../helpers/mcp-client.ts'
import { freePort } from '../../demo/ports.ts'

/** Version 1 of the MCP SDK, as a client and as a server. Its types are not installed with the project. */

const from = async <T>(path: string): Promise<T> => (await import(`@modelcontextprotocol/sdk/${path}`)) as T

const sdk: McpSdk = {
  ...(await from<McpSdk>('client/index.js')),
  ...(await from<McpSdk>('client/streamableHttp.js')),
}

test('a client of version 1 finds the issuer from the URL alone, logs in, calls a tool, and asks for more after a 403', async (t) => {
  const port = await freePort()
  const url = `http://localhost:${port}/mcp`
  const issuer = await startIssuer(undefined, 0, { audience: url, scope: 'notes:read notes:write' })
  const app = build(issuer.options.issuer, url)
  await app.listen({ port, host: 'localhost' })
  const client = new McpClient(sdk, url)
  t.after(async () => {
    await client.close()
    await Promise.all([app.close(), issuer.close()])
  })
  t.assert.equal(await client.callTool('list-notes'), '{"1":"Water the plants"}')
  t.assert.equal(await client.callTool('delete-note', { id: '2' }), 'There is no such note')
  t.assert.deepEqual(
    client.requests.filter((request) => request.startsWith(`POST ${url} 4`)),
    [`POST ${url} 401`, `POST ${url} 403`],
  )
  t.assert.deepEqual(
    client.asked.map((scope) => scope!.split(' ').toSorted()),
    [['notes:read'], ['notes:read', 'notes:write']],
  )
})

interface Server {
  tool(name: string, act: (extra: { authInfo: { scopes: string[] } }) => Promise<object>): void
  connect(transport: Transport): Promise<void>
}
interface Transport {
  handleRequest(...parameters: unknown[]): Promise<void>
}

test('a tool of a server of version 1 gets the token as authInfo', async (t) => {
  const { McpServer } = await from<{ McpServer: new (info: object) => Server }>('server/mcp.js')
  const { StreamableHTTPServerTransport } = await from<{
    StreamableHTTPServerTransport: new (options: object) => Transport
  }>('server/streamableHttp.js')
  const port = await freePort()
  const url = `http://localhost:${port}/mcp`
  const issuer = await startIssuer(undefined, 0, { audience: url, scope: 'notes:read' })
  const app = Fastify()
  app.register(jwksAuth, { issuer: issuer.options.issuer, audience: url, resource: url })
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    ...mcpRoute({ scope: 'notes:read' }),
    handler: async (request, reply) => {
      const server = new McpServer({ name: 'notes', version: '1.0.0' })
      server.tool('scopes', async ({ authInfo }) => ({
        content: [{ type: 'text', text: authInfo.scopes.join(' ') }],
      }))
      const transport = new StreamableHTTPServerTransport({})
      await server.connect(transport)
      reply.hijack()
      await transport.handleRequest(request.raw, reply.raw, request.body)
    },
  })
  await app.listen({ port, host: 'localhost' })
  const client = new McpClient(sdk, url)
  t.after(async () => {
    await client.close()
    await Promise.all([app.close(), issuer.close()])
  })
  t.assert.equal(await client.callTool('scopes'), 'notes:read')
})
