import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as sdk from '@modelcontextprotocol/client'
import { freePort } from '../../../demo/ports.ts'
import { Demo } from '../../helpers/demo-process.ts'
import { McpClient } from '../../helpers/mcp-client.ts'

test('a client can log in to the MCP server of npm run demo:mcp and call a tool, and the demo ends on SIGTERM', async (t) => {
  const port = await freePort()
  const environment = {
    PORT: String(port),
    ISSUER_PORT: String(await freePort()),
    // The example imports the package by its name, which this file resolves.
    TSX_TSCONFIG_PATH: fileURLToPath(new URL('../../../tsconfig.json', import.meta.url)),
  }
  const demo = new Demo(environment, undefined, 'mcp.ts')
  t.after(() => demo.stop())
  await demo.ready()
  const url = `http://localhost:${port}/mcp`
  t.assert.equal(demo.stdout.includes(`claude mcp add --transport http notes ${url}`), true)
  const client = new McpClient(sdk, url)
  t.assert.equal(await client.callTool('list-notes'), '{"1":"Water the plants"}')
  await client.close()
  t.assert.deepEqual(await demo.stop(), { code: 0, signal: null })
})
