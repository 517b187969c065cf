import { once } from 'node:events'
import { Bench } from 'tinybench'
import type { IssuerData } from '../contestant.ts'
import type { Algorithm } from '../issuer.ts'
import { bareVerifier, partsOf } from './bare-verify.ts'

// The parts of the plugin as they are published; this file is run as bench/dist/speed/steps-child.js.
const dist = new URL('../../../dist/', import.meta.url).href
const { bearerToken } = (await import(
  `${dist}http/credentials.js`
)) as typeof import('../../dist/http/credentials.js')
const { bearerChallenge } = (await import(
  `${dist}http/challenge.js`
)) as typeof import('../../dist/http/challenge.js')
const { checkClaims } = (await import(`${dist}checks.js`)) as typeof import('../../dist/checks.js')
const { JwksAuthError, refusals } = (await import(
  `${dist}errors.js`
)) as typeof import('../../dist/errors.js')
const { createIssuer } = (await import(`${dist}issuers.js`)) as typeof import('../../dist/issuers.js')
const { deepFreeze } = (await import(`${dist}json.js`)) as typeof import('../../dist/json.js')
const { ResourceServer } = (await import(
  `${dist}resource-server.js`
)) as typeof import('../../dist/resource-server.js')
const { readSettings } = (await import(`${dist}settings.js`)) as typeof import('../../dist/settings.js')
const { readToken } = (await import(`${dist}token.js`)) as typeof import('../../dist/token.js')

export interface Material {
  readonly issuer: IssuerData
  readonly own: readonly { algorithm: Algorithm; jwk: object; tokens: readonly string[] }[]
  readonly forged: readonly string[]
  readonly milliseconds: number
}

/** Nanoseconds and bytes of one call. */
export interface StepResult {
  readonly name: string
  readonly median: number
  readonly p99: number
  readonly bytes: number
}

interface Step {
  readonly name: string
  /** Makes the inputs of one batch of calls; not part of what is measured. */
  readonly prepare: () => readonly unknown[]
  readonly call: (input: never) => unknown
}

const [material] = (await once(process, 'message')) as [Material]
process.send!(await measure(await createSteps(material), material.milliseconds))
process.disconnect()

async function createSteps({ issuer, own, forged }: Material): Promise<Step[]> {
  const settings = readSettings(issuer)
  const log = { warn() {}, info() {} }
  const context = { ...settings, log }
  const trusted = createIssuer(settings.issuers[0]!, context)
  const server = new ResourceServer(settings.issuers, context)
  await Promise.all([trusted.prefetch(), server.prefetch()])
  const some = own[0]!.tokens
  const headers = some.map((token) => `Bearer ${token}`)
  const read = (): ReturnType<typeof readToken>[] => some.map((token) => readToken(token))
  const expired = new JwksAuthError(refusals.expired)
  const step = <Input>(
    name: string,
    prepare: () => readonly Input[],
    call: (input: Input) => unknown,
  ): Step => ({
    name,
    prepare,
    call,
  })

  const signatures = own.map(async ({ algorithm, jwk, tokens }) => {
    const verifier = await trusted.verifierFor(readToken(tokens[0]))
    const parts = tokens.map(partsOf)
    return [
      step(`signature, ${algorithm}`, () => tokens, verifier!),
      step(`bare \`crypto.verify\`, ${algorithm}`, () => parts, bareVerifier(algorithm, jwk)),
    ]
  })
  return [
    step('header', () => headers, bearerToken),
    step('reading the token', () => some, readToken),
    step('key look-up', read, (token) => trusted.verifierFor(token)),
    ...(await Promise.all(signatures)).flat(),
    step('claims', read, ({ header, claims }) => checkClaims(trusted.rules, header, claims, Date.now())),
    step('freezing', read, deepFreeze),
    step(
      'the whole verdict',
      () => some,
      (token) => server.verify(token),
    ),
    step(
      'the whole verdict, forged',
      () => forged,
      (token) => server.verify(token).catch(() => undefined),
    ),
    step(
      'making a refusal',
      () => some,
      () => new JwksAuthError(refusals.expired),
    ),
    step(
      'making a challenge',
      () => some,
      () => bearerChallenge('api', expired),
    ),
  ]
}

async function measure(steps: readonly Step[], milliseconds: number): Promise<StepResult[]> {
  const results: StepResult[] = []
  for (const { name, prepare, call } of steps) {
    const size = prepare().length
    let inputs: readonly unknown[] = []
    const kept: unknown[] = Array.from({ length: size })
    const first = call(prepare()[0] as never)
    const isAsync = first instanceof Promise
    await first
    const batch = (): void => {
      for (let index = 0; index < size; index += 1) kept[index] = call(inputs[index] as never)
    }
    const asyncBatch = async (): Promise<void> => {
      for (let index = 0; index < size; index += 1) kept[index] = await call(inputs[index] as never)
    }
    const bench = new Bench({ time: milliseconds, warmupTime: milliseconds / 2 })
    bench.add(name, isAsync ? asyncBatch : batch, {
      async: isAsync,
      beforeEach() {
        inputs = prepare()
      },
    })
    const [task] = await bench.run()
    if (task?.result.state !== 'completed') throw new Error(`${name}: ${task?.result.state}`)
    const { latency } = task.result
    const toNanoseconds = 1e6 / size
    const bytes = await allocated(
      async () => {
        await (isAsync ? asyncBatch() : batch())
      },
      () => (inputs = prepare()),
    )
    results.push({
      name,
      median: latency.p50 * toNanoseconds,
      p99: latency.p99 * toNanoseconds,
      bytes: bytes / size,
    })
  }
  return results
}

/** Bytes that one batch leaves on the heap, collected or not; memory outside of it, such as a Buffer's, is not in here. */
async function allocated(batch: () => Promise<void>, prepare: () => void): Promise<number> {
  const samples: number[] = []
  for (let sample = 0; sample < 9; sample += 1) {
    prepare()
    globalThis.gc!()
    const before = process.memoryUsage().heapUsed
    await batch()
    samples.push(process.memoryUsage().heapUsed - before)
  }
  return samples.toSorted((a, b) => a - b)[4]!
}
