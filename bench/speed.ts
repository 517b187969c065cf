import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { createCertificate } from './certificate.ts'
import { Issuer, type Algorithm } from './issuer.ts'
import { cannon } from './speed/cannon.ts'
import { endurance } from './speed/endure.ts'
import { installedSize } from './speed/installed.ts'
import { machine } from './speed/machine.ts'
import { pair } from './speed/pair.ts'
import { refusals } from './speed/refuse.ts'
import { show, write } from './speed/report.ts'
import { full, quick, type Size } from './speed/size.ts'
import { coldStart } from './speed/startup.ts'

// `npm run bench -- [--quick] [--algorithm NAME]… [PART]…`, by default with all parts and algorithms. The results of a complete run are
// written into RESULTS.md.

/** The sections of each part, by their names. */
const parts: Readonly<Record<string, (size: Size) => Promise<Record<string, string>>>> = {
  pair: (size) => pair(issuer, size),
  cannon: async (size) => ({ autocannon: await cannon(issuer, size) }),
  refuse: async (size) => ({ 'refused requests': await refusals(issuer, size) }),
  endure: async (size) => ({ 'a long run': await endurance(issuer, size) }),
  start: async (size) => ({ 'cold start': await coldStart(size), 'installed size': installedSize() }),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, algorithm: { type: 'string', multiple: true } },
})
const unknown = positionals.find((name) => !Object.hasOwn(parts, name))
if (unknown !== undefined)
  throw new Error(`no part "${unknown}"; the parts are ${Object.keys(parts).join(', ')}`)
const chosen = positionals.length > 0 ? positionals : Object.keys(parts)
const size = values.quick ? quick : full
const isWritten = !values.quick && !values.algorithm && !process.env.BENCH_OTHER_BUILD
const algorithms = (values.algorithm ?? size.algorithms) as readonly Algorithm[]

const issuer = await Issuer.start(createCertificate())
const start = performance.now()
show('machine', machine())
if (isWritten) await write('machine', machine())
for (const name of chosen) {
  const stamp = `Measured on ${new Date().toISOString().slice(0, 10)}. The load average before was ${loadavg()[0]!.toFixed(1)}.`
  for (const [section, text] of Object.entries(await parts[name]!({ ...size, algorithms }))) {
    show(section, text)
    if (isWritten) await write(section, `${text}\n\n${stamp}`)
  }
}
console.log(`\n${Math.round((performance.now() - start) / 1000)} s`)
await issuer.goDown()
