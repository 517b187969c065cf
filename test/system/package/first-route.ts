import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { createKeyPair, sign, LocalIssuer } from '../../helpers/issuer.ts'

const root = join(import.meta.dirname, '../../..')
const attackerKey = await createKeyPair()

/** The first programs of the README, and the file names that a user would give them. */
export const firstRoutes: readonly [example: string, program: string][] = [
  ['docs/examples/first.ts', 'server.js'],
  ['docs/examples/first.cjs', 'server.cjs'],
]

/** Runs a program of the README where the package is installed. Only its issuer and its port are replaced. */
export async function protectsFirstRoute(
  t: TestContext,
  directory: string,
  [example, program]: readonly [example: string, program: string],
): Promise<void> {
  await using issuer = await LocalIssuer.start()
  const code = readFileSync(join(root, example), 'utf8')
  t.assert.match(code, /'https:\/\/login\.example\.com\/realms\/acme'.*port: 3000 /s)
  writeFileSync(
    join(directory, program),
    code.replace('https://login.example.com/realms/acme', issuer.issuer).replace('port: 3000', 'port: 0'),
  )
  const child = spawn(process.execPath, [program], {
    cwd: directory,
    // The coverage of the child would be that of dist.
    env: { ...process.env, NODE_V8_COVERAGE: undefined },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill())
  const address = await addressIn(child.stdout)
  const get = (path: string, token?: string): Promise<Response> =>
    fetch(
      new URL(path, address),
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    )

  t.assert.equal(await (await get('/ping')).text(), 'public')
  const refused = await get('/secured/ping')
  t.assert.equal(refused.status, 401)
  t.assert.equal(refused.headers.get('www-authenticate'), 'Bearer realm="api"')
  const claims = { aud: 'https://api.example.com' }
  const accepted = await get('/secured/ping', await issuer.token({ claims }))
  t.assert.equal(accepted.status, 200)
  t.assert.equal(await accepted.text(), 'someone')
  const forged = await get('/secured/ping', await sign(attackerKey, issuer.claims(claims)))
  t.assert.equal(forged.status, 401)
}

/** Reads the address of a server from its log. */
async function addressIn(log: Readable): Promise<string> {
  let text = ''
  for await (const chunk of log) {
    text += String(chunk)
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(text) ?? []
    if (address !== undefined) {
      log.resume()
      return address
    }
  }
  throw new Error(`no address in the log: ${text}`)
}
