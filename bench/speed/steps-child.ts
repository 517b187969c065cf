import { once } from 'node:events'
import type { IssuerData } from '../contestant.ts'
import type { Algorithm } from '../issuer.ts'
import { bareVerifier, partsOf } from './bare-verify.ts'
import { measure, type Step, type StepResult } from './calls.ts'

// The parts of the plugin as they are published; this file is run as bench/dist/speed/steps-child.js.
const dist = new URL('../../../dist/', import.meta.url).href
const { digestOf, KnownToken } = (await import(`${dist}cache.js`)) as typeof import('../../dist/cache.js')
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
const { Origins } = (await import(`${dist}origins.js`)) as typeof import('../../dist/origins.js')
const { ResourceServer } = (await import(
  `${dist}resource-server.js`
)) as typeof import('../../dist/resource-server.js')
const { readSettings } = (await import(`${dist}settings.js`)) as typeof import('../../dist/settings.js')
const { readToken } = (await import(`${dist}token.js`)) as typeof import('../../dist/token.js')

type IssuerSettings = import('../../dist/issuer-settings.js').IssuerSettings
type Verifier = import('../../dist/verifier.js').Verifier

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
  const context = { ...settings, log: { warn() {}, info() {}, debug() {} }, tokenIn: bearerToken }
  const trusted = createIssuer(only!, { ...context, onRemoved() {} })
  const server = new ResourceServer(settings.issuers, { ...context, cache: undefined })
  const caching = new ResourceServer(settings.issuers, context)
  await Promise.all([trusted.prefetch(), server.prefetch(), caching.prefetch()])

  const tokens = own[0]!.tokens
  const headers = tokens.map((token) => `Bearer ${token}`)
  // Other texts of the same characters, as each request brings one.
  const copies = headers.map(copyOf)
  const forgedHeaders = forged.map((token) => `Bearer ${token}`)
  const read = tokens.map((token) => readToken(token)!)
  const verifierOf = async (token: string): Promise<Verifier> =>
    (await trusted.verifierFor(readToken(token)!.header)) as Verifier
  const [verifier, { header }] = [await verifierOf(tokens[0]!), read[0]!]
  const origins = new Origins()
  origins.remember(tokens[0]!, { header: header as never, verifier }, 0)
  const known = new KnownToken({ ...read[0]!, raw: tokens[0]! } as never, verifier)
  known.remember(tokens[0]!, headers[0]!)
  const base = challengeIn('api')
  const expired = new JwksAuthError(refusals.expired)
  const signatures = own.map(async ({ algorithm, jwk, tokens: signed }) => {
    const { verify } = await verifierOf(signed[0]!)
    const parts = signed.map(partsOf)
    return [
      step(`signature, ${algorithm}`, signed, verify),
      step(`bare \`crypto.verify\`, ${algorithm}`, parts, bareVerifier(algorithm, jwk)),
    ]
  })
  return [
    step('header', headers, bearerToken),
    step('digest of the token', tokens, digestOf),
    step('comparing credentials with those that were seen', copies.slice(0, 1), (header) =>
      known.recall(header),
    ),
    step('reading the token', tokens, readToken),
    step('guessing its origin instead', tokens, (token) => origins.find(token)),
    step('key look-up', read, ({ header }) => trusted.verifierFor(header)),
    ...(await Promise.all(signatures)).flat(),
    step('claims, all', read, ({ header, claims }) =>
      claimsRefusal(verifier.rules, header, claims, Date.now()),
    ),
    step('claims, times alone', read, ({ claims }) =>
      timesRefusal(verifier.rules, claims as never, Date.now()),
    ),
    {
      name: 'freezing',
      prepare: () => tokens.map((token) => readToken(token)!.claims),
      call: freezeDeeply,
    },
    step('the whole verdict, new token', headers, (header) => server.verify(header)),
    step('the whole verdict, seen token', copies, (header) => caching.verify(header)),
    step('the whole verdict, forged token', forgedHeaders, (header) => server.verify(header)),
    step('making a refusal', tokens, () => new JwksAuthError(refusals.expired)),
    step('making a challenge', tokens, () => bearerChallenge(base, expired)),
  ]
}

function copyOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** Calls a function with the same inputs again and again. */
function step<Input>(name: string, inputs: readonly Input[], call: (input: Input) => unknown): Step {
  return { name, prepare: () => inputs, call }
}
