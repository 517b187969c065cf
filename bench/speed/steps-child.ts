import { once } from 'node:events'
import type { IssuerData } from '../contestant.ts'
import type { Algorithm } from '../issuer.ts'
import { bareVerifier, partsOf } from './bare-verify.ts'
import { measure, type Step, type StepResult } from './calls.ts'

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

const [material] = (await once(process, 'message')) as [Material]
const results: StepResult[] = []
for (const step of await createSteps(material)) results.push(await measure(step, material.milliseconds))
process.send!(results)
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
