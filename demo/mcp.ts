import { build } from '../docs/examples/mcp.ts'
import { ConfigError } from './config.ts'
import { startIssuer } from './issuer.ts'
import { warnings } from './log.ts'
import { listenOn } from './ports.ts'

const { PORT, ISSUER_PORT } = process.env
// The URL of the server is known to the issuer and to clients, so no other port is taken if this one is not free.
const ports = { port: Number(PORT || 3000), issuerPort: ISSUER_PORT ? Number(ISSUER_PORT) : undefined }
const url = `http://localhost:${ports.port}/mcp`

try {
  await run()
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  console.error(error.message)
  process.exit(1)
}

async function run(): Promise<void> {
  const api = { audience: url, scope: 'notes:read notes:write' }
  const issuer = await listenOn(ports, 'issuerPort', (port) => startIssuer(undefined, port, api))
  const app = build(issuer.options.issuer, url, warnings)
  await listenOn(ports, 'port', (port) => app.listen({ port, host: 'localhost' }))

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
}
