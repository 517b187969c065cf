import { parseArgs } from 'node:util'
import { createCertificate } from './certificate.ts'
import { Issuer, type Algorithm } from './issuer.ts'
import { Acceptance } from './speed/accept.ts'
import { byAutocannon } from './speed/autocannon.ts'
import { besideBare } from './speed/beside.ts'
import { endurance, hitRate } from './speed/endure.ts'
import { installedSize } from './speed/installed.ts'
import { machine } from './speed/machine.ts'
import { LoadGenerator } from './speed/processes.ts'
import { profiles } from './speed/profile.ts'
import { promises } from './speed/promises.ts'
import { refusals } from './speed/refuse.ts'
import { show, write } from './speed/report.ts'
import { full, quick, type Size } from './speed/size.ts'
import { coldStart } from './speed/startup.ts'
import { steps } from './speed/steps.ts'

// `npm run bench -- [--quick] [--algorithm NAME]… [PART]…`: all parts and algorithms where none are named. What was not
// cut short goes into the README.

/** The sections that each part gives, by their names. */
const parts: Readonly<Record<string, (size: Size) => Promise<Record<string, string>>>> = {
  async accept(size) {
    const results: Acceptance[] = []
    for (const algorithm of size.algorithms) results.push(await Acceptance.run(algorithm, issuer, load, size))
    return {
      promises: promises(results),
      'accepted tokens': results.map((result) => result.table()).join('\n\n'),
    }
  },
  beside: async (size) => ({ 'side by side': await besideBare(issuer, size) }),
  cannon: async (size) => ({ autocannon: await byAutocannon(issuer, size) }),
  refuse: async (size) => ({ 'refused requests': await refusals(issuer, load, size) }),
  endure: async (size) => ({
    'a long run': await endurance(issuer, load, size),
    'hit rate': await hitRate(issuer, load, size),
  }),
  profile: async (size) => ({ profile: await profiles(issuer, load, size) }),
  steps: async (size) => ({ steps: await steps(issuer, size) }),
  start: async (size) => ({ 'cold start': await coldStart(size), 'installed size': installedSize() }),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, algorithm: { type: 'string', multiple: true } },
})
const unknown = positionals.find((name) => !Object.hasOwn(parts, name))
if (unknown !== undefined) throw new Error(`no part "${unknown}"; there are ${Object.keys(parts).join(', ')}`)
const chosen = positionals.length > 0 ? positionals : Object.keys(parts)
const size = values.quick ? quick : full
const isWritten = !values.quick && !values.algorithm
const algorithms = (values.algorithm ?? size.algorithms) as readonly Algorithm[]

const issuer = await Issuer.start(createCertificate())
const load = new LoadGenerator()
const start = performance.now()
show('machine', machine())
if (isWritten) await write('machine', machine())
for (const name of chosen) {
  for (const [section, text] of Object.entries(await parts[name]!({ ...size, algorithms }))) {
    show(section, text)
    if (isWritten) await write(section, text)
  }
}
console.log(`\n${Math.round((performance.now() - start) / 1000)} s`)
load.close()
await issuer.goDown()
