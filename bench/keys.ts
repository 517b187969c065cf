import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { format, resolveConfig } from 'prettier'
import { createCertificate } from './certificate.ts'
import * as scenarios from './keys/scenarios.ts'
import { render, rows, type Measured } from './keys/table.ts'
import { Trial } from './keys/trial.ts'

// `node dist/keys.js` measures all contestants and writes the table into docs/keys.md. With names as arguments it measures these contestants and
// prints their table.

const page = new URL('../../docs/keys.md', import.meta.url)
const [begin, end] = ['<!-- measured: begin -->', '<!-- measured: end -->']
/** Trials at once: in each trial, one side mostly waits for the other. */
const lanes = 2

const certificate = createCertificate()
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(rows)
const results = new Map<string, Partial<Measured>>(names.map((name) => [name, {}]))

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
  console.error(`${Math.round(performance.now() / 1000)} s`, name, what, JSON.stringify(result))
}

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

const table = render(results as ReadonlyMap<string, Measured>)
if (process.argv.length > 2) {
  console.log(table)
} else {
  const text = readFileSync(page, 'utf8')
  const [before, after] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))]
  const updated = `${before}${begin}\n\n${table}\n\n${after}`
  writeFileSync(page, await format(updated, { ...(await resolveConfig(page)), parser: 'markdown' }))
}
