import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { format, resolveConfig } from 'prettier'
import { createCertificate } from './certificate.ts'
import { measureProcesses, names as processNames, renderProcesses, type Processes } from './keys/processes.ts'
import * as scenarios from './keys/scenarios.ts'
import { render, rows, type Measured } from './keys/table.ts'
import { Trial } from './keys/trial.ts'

// `node dist/keys.js` measures all contestants and writes the tables into docs/keys.md. With names as arguments it measures these contestants and
// prints their table. With the argument `processes` it writes only the table of several processes.

const page = new URL('../../docs/keys.md', import.meta.url)
/** Trials at once: in each trial, one side mostly waits for the other. */
const lanes = 2

const certificate = createCertificate()
const chosen = process.argv.slice(2)
const results = new Map<string, Partial<Measured>>()

const measures: { [Name in keyof Measured]: (trial: Trial) => Promise<Measured[Name]> } = {
  // The longest ones come first.
  removedKey: scenarios.removedKey,
  outage: scenarios.outage,
  newKeys: (trial) => scenarios.newKeys(trial, false),
  earlyTokens: (trial) => scenarios.newKeys(trial, true),
  afterUnknownKid: scenarios.afterUnknownKid,
  replacedKey: scenarios.replacedKey,
  unknownKids: scenarios.unknownKids,
  cold: scenarios.coldStart,
  down: (trial) => scenarios.firstRequest(trial, 'down'),
  hangs: (trial) => scenarios.firstRequest(trial, 'hangs'),
}

async function measure(name: string, what: keyof Measured): Promise<void> {
  const result = await Trial.run<unknown>(name, certificate, measures[what])
  Object.assign(results.get(name)!, { [what]: result })
  report(name, what, result)
}

/** The table of single processes. */
async function measureAll(names: readonly string[]): Promise<string> {
  for (const name of names) results.set(name, {})
  const queue = (Object.keys(measures) as (keyof Measured)[])
    .filter((what) => what !== 'hangs')
    .flatMap((what) => names.map((name) => [name, what] as const))
  const work = async (): Promise<void> => {
    for (let task = queue.shift(); task; task = queue.shift()) await measure(...task)
  }
  // These trials wait for a long time and use no CPU, so they run along with the others. Only their start must not be disturbed.
  const hanging = names.map((name) => measure(name, 'hangs'))
  await setTimeout(10_000)
  await Promise.all([...hanging, ...Array.from({ length: lanes }, work)])
  return render(results as ReadonlyMap<string, Measured>)
}

/** The table of several processes. */
async function measureAllProcesses(): Promise<string> {
  const measured = new Map<string, Processes>()
  for (const name of Object.keys(processNames)) {
    measured.set(name, await measureProcesses(name, certificate))
    report(name, 'processes', measured.get(name))
  }
  return renderProcesses(measured)
}

function report(name: string, what: string, result: unknown): void {
  console.error(`${Math.round(performance.now() / 1000)} s`, name, what, JSON.stringify(result))
}

/** Writes a table between its marks in the page. */
async function write(mark: string, table: string): Promise<void> {
  const [begin, end] = [`<!-- ${mark}: begin -->`, `<!-- ${mark}: end -->`]
  const text = readFileSync(page, 'utf8')
  const [before, after] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))]
  const updated = `${before}${begin}\n\n${table}\n\n${after}`
  writeFileSync(page, await format(updated, { ...(await resolveConfig(page)), parser: 'markdown' }))
}

if (chosen.length === 0) await write('measured', await measureAll(Object.keys(rows)))
else if (chosen[0] !== 'processes') console.log(await measureAll(chosen))
if (chosen.length === 0 || chosen[0] === 'processes')
  await write('measured processes', await measureAllProcesses())
