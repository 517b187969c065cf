import { build } from '../../../docs/examples/dpop.ts'

// A server of docs/examples/dpop.ts in a process of its own. It sends its origin to its parent.
const [issuer, path, secret] = process.argv.slice(2) as [string, string, string]
const app = await build({ issuer, audience: 'api' }, path, secret)
process.send!(await app.listen())
