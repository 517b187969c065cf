import { build } from '../../../docs/examples/revocation.ts'

/** A server in a process. It sends its address to the parent. */
const [issuer, path] = process.argv.slice(2) as [string, string]
const app = await build({ issuer, audience: 'api' }, path)
process.send!(await app.listen({ port: 0, host: '127.0.0.1' }))
