import { suite, test, type TestContext } from 'node:test'
import * as sdk from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import Fastify, { type FastifyInstance } from 'fastify'
import { startIssuer } from '../../../demo/issuer.ts'
import { freePort } from '../../../demo/ports.ts'
import { build } from '../../../docs/examples/mcp.ts'
import jwksAuth from '../../../lib/index.ts'
import { mcpRoute } from '../../../lib/mcp/index.ts'
import { McpClient } from '../../helpers/mcp-client.ts'

/** Real clients that know nothing but the URL of an MCP server, and an oidc-provider that registers them. */

/** Starts an issuer and a server, and a client of the server. */
async function start(
  t: TestContext,
  create: (issuer: string, url: string) => FastifyInstance,
  options: sdk.ClientOptions = {},
): Promise<{ client: McpClient; url: string; issuer: string }> {
  const port = await freePort()
  const url = `http://localhost:${port}/mcp`
  const issuer = await startIssuer(undefined, 0, { audience: url, scope: 'notes:read notes:write' })
  const app = create(issuer.options.issuer, url)
  await app.listen({ port, host: 'localhost' })
  const client = new McpClient(sdk, url, options)
  t.after(async () => {
    await client.close()
    await Promise.all([app.close(), issuer.close()])
  })
  return { client, url, issuer: issuer.options.issuer }
}

suite('a client of version 2 of the SDK', () => {
  test('the client finds the issuer from the URL of the server alone, logs in and calls a tool', async (t) => {
    const { client, url, issuer } = await start(t, build)
    t.assert.equal(await client.callTool('list-notes'), '{"1":"Water the plants"}')
    const { origin } = new URL(url)
    t.assert.deepEqual(client.requests.slice(0, 4), [
      `POST ${url} 401`,
      `GET ${origin}/.well-known/oauth-protected-resource/mcp 200`,
      `GET ${issuer}/.well-known/oauth-authorization-server 200`,
      `POST ${issuer}/reg 201`,
    ])
    t.assert.deepEqual(client.asked, ['notes:read'])
  })

  test('a tool gets the claims and the scopes of the token that its client sent', async (t) => {
    const { client, url, issuer } = await start(t, build)
    const { iss, aud, sub, scope } = JSON.parse(await client.callTool('who-am-i')) as Record<string, unknown>
    t.assert.deepEqual({ iss, aud, sub, scope }, { iss: issuer, aud: url, sub: 'ada', scope: 'notes:read' })
  })

  test('a tool that needs more is refused with 403, and works after the client has asked for more', async (t) => {
    const { client, url } = await start(t, build)
    await client.callTool('list-notes')
    const before = client.requests.length
    t.assert.equal(await client.callTool('delete-note', { id: '2' }), 'There is no such note')
    const calls = client.requests.slice(before).filter((request) => request.startsWith(`POST ${url}`))
    t.assert.deepEqual(calls, [`POST ${url} 403`, `POST ${url} 200`])
    t.assert.deepEqual(client.asked, ['notes:read', 'notes:read notes:write'])
  })

  test('with the headers of 2026-07-28 the client asks for the scopes of the tool with its first request for it', async (t) => {
    const seen: unknown[] = []
    const create = (issuer: string, url: string): FastifyInstance => {
      const app = Fastify()
      app.register(jwksAuth, { issuer, audience: url, resource: url })
      const handle = toNodeHandler(
        createMcpHandler(() => {
          const server = new McpServer({ name: 'notes', version: '1.0.0' })
          server.registerTool('delete-note', {}, async ({ http }) => ({
            content: [{ type: 'text', text: http!.authInfo!.scopes.join(' ') }],
          }))
          return server
        }),
      )
      app.route({
        method: ['GET', 'POST', 'DELETE'],
        url: '/mcp',
        ...mcpRoute({ scope: 'notes:read', tools: { 'delete-note': { scope: 'notes:write' } } }),
        handler: async ({ raw, body }, reply) => {
          seen.push([raw.headers['mcp-method'], raw.headers['mcp-name']])
          reply.hijack()
          await handle(raw as never, reply.raw, body)
        },
      })
      return app
    }
    const options = { versionNegotiation: { mode: { pin: '2026-07-28' } } } as const
    const { client } = await start(t, create, options)
    t.assert.equal(await client.callTool('delete-note'), 'notes:read notes:write')
    t.assert.deepEqual(client.asked, ['notes:read', 'notes:read notes:write'])
    t.assert.deepEqual(seen.at(-1), ['tools/call', 'delete-note'])
  })
})
