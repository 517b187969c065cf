import { once } from 'node:events'
import type { IssuerData } from '../contestant.ts'
import type { Algorithm } from '../issuer.ts'
import { bareVerifier, partsOf } from './bare-verify.ts'
import { measure, type Step, type StepResult } from './calls.ts'

// The parts of the plugin as they are published; this file is run as bench/dist/speed/steps-child.js.
const dist = new URL('../../../dist/', import.meta.url).href
const { digestOf } = (await import(`${dist}cache.js`)) as typeof import('../../dist/cache.js')
const { claimsRefusal, timesRefusal } = (await import(
  `${dist}checks.js`
)) as typeof import('../../dist/checks.js')
const { JwksAuthError, refusals } = (await import(
  `${dist}errors.js`
)) as typeof import('../../dist/errors.js')
const { bearerChallenge, challengeIn } = (await import(
  `${dist}http/challenge.js`
)) as typeof import('../../dist/http/challenge.js')
const { bearerToken } = (await import(
  `${dist}http/credentials.js`
)) as typeof import('../../dist/http/credentials.js')
const { createIssuer } = (await import(`${dist}issuers.js`)) as typeof import('../../dist/issuers.js')
const { freezeDeeply } = (await import(`${dist}json.js`)) as typeof import('../../dist/json.js')
const { ResourceServer } = (await import(
  `${dist}resource-server.js`
)) as typeof import('../../dist/resource-server.js')
const { readSettings } = (await import(`${dist}settings.js`)) as typeof import('../../dist/settings.js')
const { TokenReader } = (await import(`${dist}token.js`)) as typeof import('../../dist/token.js')

type IssuerSettings = import('../../dist/issuer-settings.js').IssuerSettings

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
  const [only] = settings.issuers as IssuerSettings[]
  const context = { ...settings, log: { warn() {}, info() {}, debug() {} } }
  const trusted = createIssuer(only!, { ...context, onRemoved() {} })
  const server = new ResourceServer(settings.issuers, { ...context, cache: undefined })
  const caching = new ResourceServer(settings.issuers, context)
  await Promise.all([trusted.prefetch(), server.prefetch(), caching.prefetch()])

  const reader = new TokenReader()
  const tokens = own[0]!.tokens
  reader.remember(tokens[0]!, reader.read(tokens[0]!)!.header as never)
  const headers = tokens.map((token) => `Bearer ${token}`)
  const read = tokens.map((token) => reader.read(token)!)
  const base = challengeIn('api')
  const expired = new JwksAuthError(refusals.expired)
  const refusal = (token: string): unknown => {
    try {
      return server.verify(token)
    } catch (error) {
      return error
    }
  }

  const signatures = own.map(async ({ algorithm, jwk, tokens: signed }) => {
    const verifier = await trusted.verifierFor(reader.read(signed[0]!)!.header)
    const parts = signed.map(partsOf)
    return [
      step(`signature, ${algorithm}`, signed, verifier!),
      step(`bare \`crypto.verify\`, ${algorithm}`, parts, bareVerifier(algorithm, jwk)),
    ]
  })
  return [
    step('header', headers, bearerToken),
    step('digest of the token', tokens, digestOf),
    step('reading the token', tokens, (token) => reader.read(token)),
    step('key look-up', read, ({ header }) => trusted.verifierFor(header)),
    ...(await Promise.all(signatures)).flat(),
    step('claims, all', read, ({ header, claims }) =>
      claimsRefusal(trusted.rules, header, claims, Date.now()),
    ),
    step('claims, times alone', read, ({ claims }) =>
      timesRefusal(trusted.rules, claims as never, Date.now()),
    ),
    {
      name: 'freezing',
      prepare: () => tokens.map((token) => reader.read(token)!.claims),
      call: freezeDeeply,
    },
    step('the whole verdict, new token', tokens, (token) => server.verify(token)),
    step('the whole verdict, seen token', tokens, (token) => caching.verify(token)),
    step('the whole verdict, forged token', forged, refusal),
    step('making a refusal', tokens, () => new JwksAuthError(refusals.expired)),
    step('making a challenge', tokens, () => bearerChallenge(base, expired)),
  ]
}

/** Calls a function with the same inputs again and again. */
function step<Input>(name: string, inputs: readonly Input[], call: (input: Input) => unknown): Step {
  return { name, prepare: () => inputs, call }
}
