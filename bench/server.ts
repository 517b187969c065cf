import type { IssuerData } from './contestant.ts'
import { contestants } from './contestants/index.ts'

// One contestant in a process of its own: `node dist/server.js NAME ISSUER`, the issuer as JSON. It tells its URL over
// IPC and ends with the process that started it.

const [name, issuer] = process.argv.slice(2)
const contestant = await contestants[name!]!()
const { url } = await contestant.start(JSON.parse(issuer!) as IssuerData)
process.once('disconnect', () => process.exit())
process.send!({ url })
