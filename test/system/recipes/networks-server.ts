import { build } from '../../../docs/examples/proxy.ts'
import { build as buildPlain } from '../../../docs/examples/refusals.ts'

/** A server in a process. It sends its answer to one token to the parent. */
const [issuer, token, mode] = process.argv.slice(2) as [string, string, string]
const options = { issuer, audience: 'api' }
const app = mode === 'dispatcher' ? await build(options) : buildPlain(options, false)
const headers = { authorization: `Bearer ${token}` }
const { statusCode } = await app.inject({ url: '/me', headers })
process.send!({ statusCode, reason: app.jwksStatus()[0]!.reason })
await app.close()
