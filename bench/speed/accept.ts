import { createKey, type Algorithm, type Issuer, type Key } from '../issuer.ts'
import { bareVerifier, partsOf } from './bare-verify.ts'
import { Contestants, isAll } from './contestants.ts'
import { field, type Entry } from './field.ts'
import type { Load, LoadGenerator, Measurement } from './processes.ts'
import { figure, spread, table, type Row } from './report.ts'
import type { Size } from './size.ts'
import { shuffled, summarize, type Summary } from './statistics.ts'
import { createTokens, users } from './tokens.ts'

/** The two workloads: tokens seen before, and tokens never seen before. */
export type Workload = 'seen' | 'new'

/** A measurement of a contestant, and of its bare route just before: the machine is slower at one time than at another. */
interface Pair {
  readonly measured: Measurement
  readonly bare: Measurement
}

/** What one round gave: for each contestant and workload a pair, and the bare verification's CPU time. */
interface Round {
  readonly verify: number
  readonly pairs: ReadonlyMap<string, Pair>
}

/** Accepted tokens of one algorithm, by all contestants that can, side by side. */
export class Acceptance {
  readonly algorithm: Algorithm
  readonly entries: readonly Entry[]
  readonly #rounds: readonly Round[]
  /** What those that don't accept the algorithm said. */
  readonly #unable: readonly string[]

  private constructor(
    algorithm: Algorithm,
    entries: readonly Entry[],
    rounds: readonly Round[],
    unable: readonly string[],
  ) {
    this.#unable = unable
    this.algorithm = algorithm
    this.entries = entries
    this.#rounds = rounds
  }

  static async run(
    algorithm: Algorithm,
    issuer: Issuer,
    load: LoadGenerator,
    size: Size,
  ): Promise<Acceptance> {
    const key = createKey(algorithm)
    issuer.keys = [key]
    const headers = (await createTokens(issuer.data, key, users + size.warmUp + size.newTokens)).map(
      (token) => `Bearer ${token}`,
    )
    const seen = load.store(`${algorithm}-seen`, headers.slice(0, users))
    const warmUp = load.store(`${algorithm}-warm-up`, headers.slice(users, users + size.warmUp))
    const fresh = load.store(`${algorithm}-new`, headers.slice(users + size.warmUp))
    const share = Math.floor(size.newTokens / size.rounds)
    const loads = (round: number): Record<Workload, Load> => ({
      seen: { file: seen, from: 0, count: size.seenRequests, milliseconds: size.milliseconds },
      new: { file: fresh, from: round * share, count: share, milliseconds: size.milliseconds },
    })

    const rounds: Round[] = []
    let contestants: Contestants | undefined
    for (let round = 0; round < size.rounds; round += 1) {
      if (round % Math.ceil(size.rounds / size.starts) === 0) {
        await contestants?.close()
        const asked = { from: 0, count: size.warmUp, milliseconds: size.warmUpMilliseconds }
        contestants = await Contestants.start(issuer, load, [
          { ...asked, file: warmUp },
          { ...asked, file: seen },
        ])
      }
      const pairs = new Map<string, Pair>()
      for (const workload of ['seen', 'new'] as const) {
        const measure = async (name: string): Promise<Measurement> => {
          const measurement = await load.measure(contestants!.server(name), loads(round)[workload])
          if (isAll(measurement.statuses, '200')) return measurement
          throw new Error(`${name} answered ${JSON.stringify(measurement.statuses)}`)
        }
        for (const { name, bare } of shuffled(contestants!.entries)) {
          pairs.set(`${workload} ${name}`, { bare: await measure(bare), measured: await measure(name) })
        }
      }
      rounds.push({ verify: bareVerify(key, headers.slice(0, users)), pairs })
      process.stderr.write(`${algorithm}: round ${round + 1} of ${size.rounds}\n`)
    }
    const { unable } = contestants!
    await contestants!.close()
    const entries = field.filter(({ name }) => rounds.every(({ pairs }) => pairs.has(`seen ${name}`)))
    return new Acceptance(algorithm, entries, rounds, unable)
  }

  /** CPU time of `crypto.verify` in a loop, microseconds, by rounds. */
  get verify(): number[] {
    return this.#rounds.map((round) => round.verify)
  }

  /** How many times a request costs what it costs the bare route, by rounds. */
  relative(workload: Workload, name: string): number[] {
    return this.#pairs(workload, name).map(({ measured, bare }) => measured.cpu / bare.cpu)
  }

  /** CPU time that is added to a request of the bare route, microseconds, by rounds; each counts as if the machine had been as fast as in most. */
  added(workload: Workload, name: string): number[] {
    const usual = summarize(this.#pairs(workload, name).map(({ bare }) => bare.cpu)).median
    return this.relative(workload, name).map((times) => (times - 1) * usual)
  }

  #pairs(workload: Workload, name: string): Pair[] {
    return this.#rounds.map(({ pairs }) => pairs.get(`${workload} ${name}`)!)
  }

  table(): string {
    const workloads: readonly Workload[] = ['seen', 'new']
    const parts = workloads.map((workload) => {
      const bare = [...new Set(this.entries.map((entry) => entry.bare))]
      const rows = [
        ...bare.map((name) => this.#row(name, this.#ofBare(workload, name))),
        ...this.entries.map(({ name }) =>
          this.#row(
            name,
            this.#pairs(workload, name).map(({ measured }) => measured),
            this.added(workload, name),
          ),
        ),
      ]
      const title =
        workload === 'seen' ? `${users} users' tokens again and again` : 'Tokens that were never seen before'
      const head = [
        '',
        'CPU per request, µs',
        'added to the bare route, µs',
        'requests/s',
        'p50, ms',
        'p99, ms',
        'busy',
      ]
      return `${this.algorithm}. ${title}:\n\n${table(head, rows)}`
    })
    const leftOut =
      this.#unable.length > 0
        ? [`Left out, since they refuse ${this.algorithm}: ${this.#unable.join(', ')}.`]
        : []
    return [
      ...parts,
      ...leftOut,
      `\`crypto.verify\` of these tokens in a loop, and nothing else running: ${spread(summarize(this.verify))} µs.`,
    ].join('\n\n')
  }

  /** All that was measured of a bare route, whoever was beside it. */
  #ofBare(workload: Workload, name: string): Measurement[] {
    const entries = this.entries.filter(({ bare }) => bare === name)
    return entries.flatMap((entry) => this.#pairs(workload, entry.name).map(({ bare }) => bare))
  }

  #row(name: string, measured: readonly Measurement[], added?: readonly number[]): Row {
    const all = (value: (measurement: Measurement) => number): Summary => summarize(measured.map(value))
    return [
      name,
      spread(all(({ cpu }) => cpu)),
      added ? spread(summarize(added)) : '',
      figure(all(({ requests, seconds }) => requests / seconds).median),
      figure(all(({ p50 }) => p50).median),
      figure(all(({ p99 }) => p99).median),
      `${Math.round(all(({ busy }) => busy).median * 100)} %`,
    ]
  }
}

/** CPU time of `crypto.verify` alone, microseconds. */
function bareVerify({ alg, jwk }: Key, headers: readonly string[]): number {
  const isGood = bareVerifier(alg, jwk)
  const parts = headers.map((header) => partsOf(header.slice('Bearer '.length)))
  const verifyAll = (): void => {
    if (!parts.every(isGood)) throw new Error('a token of our own is not good')
  }
  verifyAll()
  const repeats = 10
  const before = process.cpuUsage()
  for (let repeat = 0; repeat < repeats; repeat += 1) verifyAll()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / (repeats * parts.length)
}
