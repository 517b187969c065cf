import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createCertificate, skip } from '../../helpers/certificate.ts'
import { createKeyPair, now, sign } from '../../helpers/issuer.ts'

const program = fileURLToPath(new URL('networks-server.ts', import.meta.url))
const nodeVersion = Number(process.versions.node.split('.')[0])

interface Network {
  /** Starts a server process with environment variables. Returns its answer to a good token. */
  answer: (mode: 'dispatcher' | 'plain', env: object) => Promise<{ statusCode: number; reason?: string }>
  /** The hosts to which the proxy was asked to connect. */
  connections: string[]
  host: string
  proxy: string
  /** The file with the certificate of the private CA. */
  ca: string
}

/** Starts an issuer whose certificate is from a private CA, and a proxy. */
async function start(t: TestContext): Promise<Network> {
  const directory = mkdtempSync(join(tmpdir(), 'networks-'))
  const ca = join(directory, 'ca.pem')
  const certificate = createCertificate()
  writeFileSync(ca, certificate.ca)
  const keyPair = await createKeyPair()
  const server = createTlsServer({ cert: certificate.cert, key: certificate.key }, ({ url }, response) => {
    const isMetadata = url!.includes('.well-known')
    response.end(
      JSON.stringify(isMetadata ? { issuer, jwks_uri: `${issuer}/jwks` } : { keys: [keyPair.jwk] }),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const host = `localhost:${port}`
  const issuer = `https://${host}`
  const connections: string[] = []
  const proxy = createServer().listen(0, '127.0.0.1')
  proxy.on('connect', ({ url }, socket) => {
    connections.push(url!)
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    for (const each of [socket, upstream]) each.on('error', () => each.destroy())
  })
  await once(proxy, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
    proxy.close()
    proxy.closeAllConnections()
    rmSync(directory, { recursive: true })
  })
  const token = await sign(keyPair, { iss: issuer, aud: 'api', sub: 'someone', exp: now() + 600 })
  const answer: Network['answer'] = async (mode, env) => {
    const child = fork(program, [issuer, token, mode], {
      execArgv: ['--import', 'tsx'],
      env: { PATH: process.env.PATH, ...env },
    })
    const [result] = (await once(child, 'message')) as [{ statusCode: number; reason?: string }]
    await once(child, 'exit')
    return result
  }
  return { answer, connections, host, proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, ca }
}

suite('an issuer behind a corporate proxy, with a certificate of a private CA', { skip }, () => {
  test('NODE_EXTRA_CA_CERTS makes Node accept the certificate of a private CA', async (t) => {
    const { answer, ca } = await start(t)
    t.assert.deepEqual(await answer('plain', {}), {
      statusCode: 503,
      reason: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    })
    t.assert.equal((await answer('plain', { NODE_EXTRA_CA_CERTS: ca })).statusCode, 200)
  })

  test('with EnvHttpProxyAgent keys are fetched through the proxy of HTTPS_PROXY, unless NO_PROXY has the host', async (t) => {
    const { answer, connections, host, proxy, ca } = await start(t)
    const env = { NODE_EXTRA_CA_CERTS: ca, HTTPS_PROXY: proxy }
    t.assert.equal((await answer('dispatcher', { ...env, NO_PROXY: 'localhost' })).statusCode, 200)
    t.assert.deepEqual(connections, [])
    t.assert.equal((await answer('dispatcher', env)).statusCode, 200)
    t.assert.deepEqual([...new Set(connections)], [host])
  })

  test('without a dispatcher the proxy of HTTPS_PROXY is not used', async (t) => {
    const { answer, connections, proxy, ca } = await start(t)
    const env = { NODE_EXTRA_CA_CERTS: ca, HTTPS_PROXY: proxy }
    t.assert.equal((await answer('plain', env)).statusCode, 200)
    t.assert.deepEqual(connections, [])
  })

  test('with NODE_USE_ENV_PROXY of Node 24 keys are fetched through the proxy', async (t) => {
    if (nodeVersion < 24) return t.skip('Node 24 is the first version with NODE_USE_ENV_PROXY')
    const { answer, connections, host, proxy, ca } = await start(t)
    const env = { NODE_EXTRA_CA_CERTS: ca, HTTPS_PROXY: proxy, NODE_USE_ENV_PROXY: '1' }
    t.assert.equal((await answer('plain', env)).statusCode, 200)
    t.assert.deepEqual([...new Set(connections)], [host])
  })
})
