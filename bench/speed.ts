import { parseArgs } from 'node:util'
import { createCertificate } from './certificate.ts'
import { Issuer, type Algorithm } from './issuer.ts'
import { Acceptance, promises } from './speed/accept.ts'
import { endurance, hitRate } from './speed/endure.ts'
import { installedSize } from './speed/installed.ts'
import { LoadGenerator } from './speed/processes.ts'
import { publish } from './speed/report.ts'
import { refusals } from './speed/refuse.ts'
import { full, quick, type Size } from './speed/size.ts'
import { coldStart } from './speed/startup.ts'
import { steps } from './speed/steps.ts'

// `npm run bench -- [--quick] [--algorithm NAME]… [PART]…`, all parts where none is named.

const parts: Record<string, (size: Size) => Promise<void>> = {
  accept,
  refuse: async (size) => publish('refused requests', await refusals(issuer, load, size)),
  endure: async (size) => {
    publish('a long run', await endurance(issuer, load, size))
    publish('hit rate', await hitRate(issuer, load, size))
  },
  steps: async (size) => publish('steps', await steps(issuer, size)),
  start: async (size) => {
    publish('cold start', await coldStart(size))
    publish('installed size', installedSize())
  },
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, algorithm: { type: 'string', multiple: true } },
})
const size = values.quick ? quick : full
const algorithms = (values.algorithm ?? size.algorithms) as readonly Algorithm[]
const chosen = positionals.length > 0 ? positionals : Object.keys(parts)
const issuer = await Issuer.start(createCertificate())
const load = new LoadGenerator()
const start = performance.now()
for (const name of chosen) await parts[name]!({ ...size, algorithms })
console.log(`\n${Math.round((performance.now() - start) / 1000)} s`)
load.close()
await issuer.goDown()

async function accept(size: Size): Promise<void> {
  const results: Acceptance[] = []
  for (const algorithm of size.algorithms) results.push(await Acceptance.run(algorithm, issuer, load, size))
  publish('accepted tokens', results.map((result) => result.table()).join('\n\n'))
  publish('promises', promises(results))
}
