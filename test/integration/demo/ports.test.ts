import { once } from 'node:events'
import { createServer } from 'node:net'
import { suite, test, type TestContext } from 'node:test'
import { ConfigError, type Config } from '../../../demo/config.ts'
import { instructions } from '../../../demo/instructions.ts'
import { listenOn } from '../../../demo/ports.ts'
import { start, type Running } from '../../../demo/start.ts'

const anyPort: Config = { port: 0, pagePort: 0, issuerPort: 0 }
const tenant = { domain: 'tenant.example.com', audience: 'my-api' }

async function startDemo(t: TestContext, config: Config): Promise<Running> {
  const demo = await start(config)
  t.after(() => demo.close())
  return demo
}

/** Takes a port until the test ends, unless another process of this machine has it already. */
async function takePort(t: TestContext, port: number): Promise<number> {
  const server = createServer().listen(port, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening').catch(() => {})
  const address = server.address()
  return typeof address === 'object' && address ? address.port : port
}

const parts = [
  { name: 'port', variable: 'PORT', port: 8000, part: 'the API', url: ({ api }: Running) => api },
  { name: 'pagePort', variable: 'PAGE_PORT', port: 8001, part: 'the page', url: ({ page }: Running) => page },
  {
    name: 'issuerPort',
    variable: 'ISSUER_PORT',
    port: 8002,
    part: 'the embedded issuer',
    url: ({ issuer }: Running) => ('options' in issuer ? issuer.options.issuer : undefined),
  },
] as const

for (const { name, variable, port, part, url } of parts) {
  suite(`the port of ${part}`, () => {
    test(`${part} takes another port if ${port} is taken and ${variable} is not set`, async (t) => {
      await takePort(t, port)
      const address = url(await startDemo(t, { ...anyPort, [name]: undefined }))!
      t.assert.notEqual(new URL(address).port, String(port))
      t.assert.equal((await fetch(`${address}/favicon.svg`)).status, part === 'the API' ? 404 : 200)
    })

    test(`a taken ${variable} is an error that names the variable`, async (t) => {
      const taken = await takePort(t, 0)
      const error = new ConfigError(`Port ${taken} is already in use. Set ${variable} to another port.`)
      await t.assert.rejects(start({ ...anyPort, [name]: taken }), error)
    })
  })
}

test('no part of the demo takes the port that the user chose for another', async (t) => {
  const chosenFor = (config: Config, name: Parameters<typeof listenOn>[1]) =>
    listenOn(config, name, async (port) => port)
  t.assert.equal(await chosenFor({ port: 8002 }, 'issuerPort'), 0)
  t.assert.equal(await chosenFor({ pagePort: 8000 }, 'port'), 0)
  t.assert.equal(await chosenFor({ pagePort: 8000 }, 'pagePort'), 8000)
})

test('the page of a configured issuer takes no other port, because the issuer knows its URL', async (t) => {
  await takePort(t, 8001)
  const config = { ...anyPort, pagePort: undefined, issuer: tenant, spaClientId: 'my-page' }
  await t.assert.rejects(
    start(config),
    /^Error: Port 8001 is already in use\. Set PAGE_PORT to another port\.$/,
  )
})

test('what the demo prints fits a terminal of 80 columns and 24 rows, with the lines of npm', async (t) => {
  // The ports of an ordinary start have 4 digits. A fallback has up to 5.
  const demo = await startDemo(t, anyPort)
  const rows = instructions(demo)
    .split('\n')
    .reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 80)), 0)
  const npm = 4
  const prompt = 1
  t.assert.equal(npm + rows + prompt <= 24, true, `${rows} rows`)
})
