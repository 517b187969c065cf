import { build } from '../../../docs/examples/revocation.ts'

/** A server as a process of its own; tells where it listens. */
const [issuer, path] = process.argv.slice(2) as [string, string]
const app = await build({ issuer, audience: 'api' }, path)
process.send!(await app.listen({ port: 0, host: '127.0.0.1' }))
