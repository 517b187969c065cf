import { test, type TestContext } from 'node:test'
import * as sdk from '@modelcontextprotocol/client'
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import { McpServer } from '@modelcontextprotocol/server'
import Fastify, { type FastifyInstance } from 'fastify'
import { startIssuer } from '../../../demo/issuer.ts'
import { freePort } from '../../../demo/ports.ts'
import jwksAuth from '../../../lib/index.ts'
import { mcpRoute } from '../../../lib/mcp/index.ts'
import { createDPoPClient } from '../../../lib/testing/index.ts'
import { McpClient } from '../../helpers/mcp-client.ts'

/** An MCP server that accepts only tokens that are bound to a DPoP key, with nonces. */

function build(issuer: string, url: string): FastifyInstance {
  // The client keeps a stream open.
  const app = Fastify({ forceCloseConnections: true })
  app.register(jwksAuth, {
    issuer,
    audience: url,
    resource: url,
    dpop: { mode: 'required', nonce: { secret: 'a secret of at least 32 characters' } },
  })
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    ...mcpRoute({ scope: 'notes:read', tools: { 'delete-note': { scope: 'notes:write' } } }),
    handler: async ({ raw, body }, reply) => {
      const server = new McpServer({ name: 'notes', version: '1.0.0' })
      for (const name of ['list-notes', 'delete-note']) {
        server.registerTool(name, {}, async ({ http }) => ({
          content: [{ type: 'text', text: JSON.stringify(http!.authInfo!.extra!.claims) }],
        }))
      }
      const transport = new NodeStreamableHTTPServerTransport()
      await server.connect(transport)
      reply.hijack()
      reply.raw.on('close', () => void server.close())
      await transport.handleRequest(raw, reply.raw, body)
    },
  })
  return app
}

async function start(t: TestContext): Promise<{ url: string; issuer: string }> {
  const port = await freePort()
  const url = `http://localhost:${port}/mcp`
  const issuer = await startIssuer(undefined, 0, { audience: url, scope: 'notes:read notes:write' })
  const app = build(issuer.options.issuer, url)
  await app.listen({ port, host: 'localhost' })
  t.after(() => Promise.all([app.close(), issuer.close()]))
  return { url, issuer: issuer.options.issuer }
}

/** The SDK signs no proofs. This `fetch` does, for the token endpoint and for the server, and sends the nonces that they ask for. */
function provingFetch(): typeof fetch {
  const client = createDPoPClient()
  const nonces = new Map<string, string>()
  return async (input, init = {}) => {
    const url = new URL(input as string | URL)
    const headers = new Headers(init.headers)
    const token = /^Bearer (.+)/.exec(headers.get('authorization') ?? '')?.[1]
    if (token === undefined && url.pathname !== '/token') return fetch(url, init)
    for (let attempts = 0; ; attempts++) {
      const nonce = nonces.get(url.origin)
      const request = {
        method: init.method ?? 'GET',
        url: url.href,
        token: token ?? 'none',
        ...(nonce && { nonce }),
      }
      headers.set('dpop', client.proof(request, token === undefined ? { claims: { ath: undefined } } : {}))
      if (token !== undefined) headers.set('authorization', `DPoP ${token}`)
      const response = await fetch(url, { ...init, headers })
      const next = response.headers.get('dpop-nonce')
      if (next !== null) nonces.set(url.origin, next)
      const isAsked = next !== null && [400, 401].includes(response.status)
      if (!isAsked || attempts === 1) return response
    }
  }
}

test('a client with bound tokens logs in, sends nonces, calls a tool and asks for more after a 403', async (t) => {
  const { url } = await start(t)
  const client = new McpClient(sdk, url, {}, provingFetch())
  t.after(() => client.close())
  const claims = JSON.parse(await client.callTool('list-notes')) as { cnf?: { jkt?: string }; scope: string }
  t.assert.equal(typeof claims.cnf?.jkt, 'string')
  t.assert.equal(claims.scope, 'notes:read')
  const more = JSON.parse(await client.callTool('delete-note')) as { scope: string }
  t.assert.deepEqual(more.scope.split(' ').toSorted(), ['notes:read', 'notes:write'])
})

test('a server that requires bound tokens has one challenge, which leads to the same metadata', async (t) => {
  const { url } = await start(t)
  const { origin } = new URL(url)
  const response = await fetch(url, { method: 'POST' })
  t.assert.match(
    response.headers.get('www-authenticate')!,
    new RegExp(
      `^DPoP realm="api", scope="notes:read", algs="[A-Za-z0-9 ]+", resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"$`,
    ),
  )
  const metadata = (await (
    await fetch(`${origin}/.well-known/oauth-protected-resource/mcp`)
  ).json()) as Record<string, unknown>
  t.assert.equal(metadata.dpop_bound_access_tokens_required, true)
  t.assert.equal((metadata.dpop_signing_alg_values_supported as string[]).includes('ES256'), true)
})

test('a client without proofs is refused with a DPoP challenge where tokens must be bound', async (t) => {
  const { url } = await start(t)
  const client = new McpClient(sdk, url)
  await t.assert.rejects(client.callTool('list-notes'))
  const last = client.requests.at(-1)
  t.assert.equal(last, `POST ${url} 401`)
})
