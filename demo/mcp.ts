import { build } from '../docs/examples/mcp.ts'
import { startIssuer } from './issuer.ts'
import { warnings } from './log.ts'

// The URL of the server is known to the issuer and to clients, so no other port is taken if this one is not free.
const port = Number(process.env.PORT || 3000)
const url = `http://localhost:${port}/mcp`
const issuerPort = Number(process.env.ISSUER_PORT || 8002)

const issuer = await startIssuer(undefined, issuerPort, { audience: url, scope: 'notes:read notes:write' })
const app = build(issuer.options.issuer, url, warnings)
await app.listen({ port, host: 'localhost' })

let stopping: Promise<unknown> | undefined
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopping ??= Promise.all([app.close(), issuer.close()])
  })
}

console.log(`The MCP server listens on ${url}
  list-notes   needs an access token with the scope notes:read
  delete-note  needs the scope notes:write as well

Issuer: ${issuer.options.issuer} (part of this demo: log in with any name)

To add the server to a client, paste one of these lines into another terminal:
  claude mcp add --transport http notes ${url}
  code --add-mcp '{"name":"notes","type":"http","url":"${url}"}'
  npx @modelcontextprotocol/inspector --transport http --server-url ${url}

Press Ctrl+C to stop the demo.`)
