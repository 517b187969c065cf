import type { IssuerData } from './contestant.ts'
import { contestants } from './contestants/index.ts'
import type { Usage } from './child.ts'

// One contestant in its own process: `node dist/server.js NAME ISSUER`, with the issuer as JSON. It sends its URL over IPC, answers each
// message with what the process has used, and ends with its parent.

const [name, issuer] = process.argv.slice(2)
const contestant = await contestants[name!]!()
const { url } = await contestant.start(JSON.parse(issuer!) as IssuerData)
process.once('disconnect', () => process.exit())
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  const usage: Usage = { cpu: user + system, rss: process.memoryUsage.rss() }
  process.send!(usage)
})
process.send!({ url })
