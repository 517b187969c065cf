import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import { McpServer } from '@modelcontextprotocol/server'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import jwksAuth from 'fastify-jwks-auth'
import { mcpRoute } from 'fastify-jwks-auth/mcp'
import * as z from 'zod'

// #region tools
const notes = new Map([['1', 'Water the plants']])
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })

function createServer(): McpServer {
  const server = new McpServer({ name: 'notes', version: '1.0.0' })
  const inputSchema = z.object({ id: z.string() })
  server.registerTool('list-notes', { description: 'Lists all notes' }, async () =>
    text(JSON.stringify(Object.fromEntries(notes))),
  )
  server.registerTool('delete-note', { description: 'Deletes a note', inputSchema }, async ({ id }) =>
    text(notes.delete(id) ? 'Deleted' : 'There is no such note'),
  )
  // What the server knows of the caller: the token, its scopes and its claims.
  server.registerTool('who-am-i', { description: 'Names the user' }, async ({ http }) =>
    text(JSON.stringify(http?.authInfo?.extra?.claims)),
  )
  return server
}
// #endregion

/** @param url - The URL of the MCP server exactly as users type it into their clients. */
export function build(
  issuer: string,
  url: string,
  logger: FastifyServerOptions['logger'] = false,
): FastifyInstance {
  // #region app
  const app = Fastify({ logger })
  app.register(jwksAuth, {
    issuer,
    audience: url,
    resource: { resource: url, resource_name: 'Notes', scopes_supported: ['notes:read', 'notes:write'] },
    impliedScopes: { 'notes:write': ['notes:read'] },
  })
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: new URL(url).pathname,
    ...mcpRoute({ scope: 'notes:read', tools: { 'delete-note': { scope: 'notes:write' } } }),
    handler: async (request, reply) => {
      const server = createServer()
      const transport = new NodeStreamableHTTPServerTransport()
      await server.connect(transport)
      reply.hijack() // The SDK writes the answer.
      reply.raw.on('close', () => void server.close())
      await transport.handleRequest(request.raw, reply.raw, request.body)
    },
  })
  // #endregion
  return app
}
