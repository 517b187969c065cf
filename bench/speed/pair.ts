import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { environment } from '../child.ts'
import { createKey, type Algorithm, type Issuer } from '../issuer.ts'
import { fieldFor, ours } from './field.ts'
import type { Task, Times } from './pair-child.ts'
import { createProofs } from './proofs.ts'
import { figure, spread, table, type Row } from './report.ts'
import type { Size } from './size.ts'
import { summarize, type Summary } from './statistics.ts'
import { createTokens } from './tokens.ts'

const child = fileURLToPath(new URL('pair-child.js', import.meta.url))

const bare = 'crypto.verify'
const unit = `\`${bare}\``
/** Of DPoP proofs. */
const bareProof = '`crypto.verify` of a proof'
const proof = 'fastify-jwks-auth, DPoP'
const kinds = ['new', 'seen'] as const
type Kind = (typeof kinds)[number]

/** By contestant. */
type Results = ReadonlyMap<string, Times>

/** What a token costs in the hook of each contestant, compared with the verification of its signature. */
export async function pair(issuer: Issuer, size: Size): Promise<Record<string, string>> {
  const targets: Row[] = []
  const tables: string[] = []
  for (const algorithm of size.algorithms) {
    const results = await run(algorithm, issuer, size)
    targets.push(...targetRows(algorithm, results))
    tables.push(`${algorithm}:\n\n${resultTable(results)}`)
  }
  return {
    targets: table(['', 'target', 'measured'], targets),
    pair: tables.join('\n\n'),
  }
}

async function run(algorithm: Algorithm, issuer: Issuer, size: Size): Promise<Results> {
  const key = createKey(algorithm)
  issuer.keys = [key]
  const names = fieldFor(algorithm).map(({ name }) => name)
  // RSA is unusual for DPoP.
  const proofNames = algorithm === 'RS256' ? [] : [bareProof, proof]
  const results = new Map(
    [bare, ...names, ...proofNames].map((name): [string, Times] => [name, { new: [], seen: [] }]),
  )
  const seen = await createTokens(issuer.data, key, size.slice)
  const fresh = await createTokens(issuer.data, key, size.slice * (size.warmUpRounds + size.rounds))
  for (let start = 1; start <= size.starts; start += 1) {
    const warmUp = size.warmUpRounds
    const proofs =
      proofNames.length > 0 ? await createProofs(issuer.data, key, algorithm, fresh.length) : undefined
    const task: Task = { issuer: issuer.data, algorithm, jwk: key.jwk, names, seen, fresh, warmUp, proofs }
    const measured = await inNewProcess(task, issuer)
    for (const [index, times] of [...results.values()].entries()) {
      for (const kind of kinds) times[kind].push(...measured[index]![kind])
    }
    process.stderr.write(`pair, ${algorithm}: process ${start} of ${size.starts}\n`)
  }
  return results
}

async function inNewProcess(task: Task, issuer: Issuer): Promise<readonly Times[]> {
  const measuring = fork(child, { env: environment(issuer) })
  const ended = once(measuring, 'exit').then(([code]) => {
    throw new Error(`the process of the contestants ended with ${code}`)
  })
  ended.catch(() => undefined)
  measuring.send(task)
  const [measured] = (await Promise.race([once(measuring, 'message'), ended])) as [readonly Times[]]
  return measured
}

/**
 * The ratios within each round. Their median is steadier than the ratio of the medians: where the machine has two speeds, the medians of two
 * contestants may be times at different speeds.
 */
function ratio(results: Results, kind: Kind, name: string, by = bare): Summary {
  const [times, units] = [results.get(name)![kind], results.get(by)![kind]]
  return summarize(times.map((time, round) => time / units[round]!))
}

function resultTable(results: Results): string {
  const tokens = Array.from(results).filter(([name]) => name !== proof && name !== bareProof)
  const rows = tokens.map(([name, times]): Row => {
    const cells = kinds.flatMap((kind) => [
      figure(summarize(times[kind]).median),
      name === bare ? 1 : spread(ratio(results, kind, name)),
    ])
    return [name === bare ? unit : name, ...cells]
  })
  return table(['', 'new token, µs', `by ${unit}`, 'seen token, µs', `by ${unit}`], rows)
}

function targetRows(algorithm: Algorithm, results: Results): Row[] {
  const row = (what: string, target: string, summary: Summary): Row => [
    `${algorithm}, ${what}`,
    target,
    spread(summary),
  ]
  const most = algorithm === 'RS256' ? '1.6' : '1.25'
  return [
    row(`new token by ${unit}`, `at most ${most}`, ratio(results, 'new', ours)),
    row('new token by aws-jwt-verify', 'below 1', ratio(results, 'new', ours, 'aws-jwt-verify')),
    row(`seen token by ${unit}`, 'at most 0.06', ratio(results, 'seen', ours)),
    ...(results.has(proof)
      ? [
          row(
            `seen token with a new proof by ${bareProof}`,
            'at most 1.35',
            ratio(results, 'new', proof, bareProof),
          ),
        ]
      : []),
  ]
}
