import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as sdk from '@modelcontextprotocol/client'
import { freePort } from '../../../demo/ports.ts'
import { Demo } from '../../helpers/demo-process.ts'
import { McpClient } from '../../helpers/mcp-client.ts'

/** The example imports the package by its name, which this file resolves. */
const config = fileURLToPath(new URL('../../../tsconfig.json', import.meta.url))

test('a client can log in to the MCP server of npm run demo:mcp and call a tool, and the demo ends on SIGTERM', async (t) => {
  const port = await freePort()
  const environment = {
    PORT: String(port),
    ISSUER_PORT: String(await freePort()),
    TSX_TSCONFIG_PATH: config,
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

test('npm run demo:mcp names the port that is taken', async (t) => {
  const port = await freePort()
  const server = createServer().listen(port, 'localhost')
  await once(server, 'listening')
  t.after(() => server.close())
  const demo = new Demo(
    { PORT: String(port), ISSUER_PORT: String(await freePort()), TSX_TSCONFIG_PATH: config },
    undefined,
    'mcp.ts',
  )
  t.after(() => demo.stop())
  t.assert.deepEqual(await demo.ended, { code: 1, signal: null })
  t.assert.equal(demo.stderr, `Port ${port} is already in use. Set PORT to another port.\n`)
})
