import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createKey, type Issuer } from '../issuer.ts'
import type { StepResult } from './calls.ts'
import type { Material } from './steps-child.ts'
import { figure, table } from './report.ts'
import type { Size } from './size.ts'
import { createTokens, forge } from './tokens.ts'

const child = fileURLToPath(new URL('steps-child.js', import.meta.url))

/** Time and memory of each step of a verdict, in a process with nothing else in it. */
export async function steps(issuer: Issuer, size: Size): Promise<string> {
  const keys = size.algorithms.map((algorithm) => createKey(algorithm))
  issuer.keys = keys
  const own = await Promise.all(
    keys.map(async (key) => ({
      algorithm: key.alg,
      jwk: key.jwk,
      tokens: await createTokens(issuer.data, key, 100),
    })),
  )
  const forged = own[0]!.tokens.map(forge)
  const material: Material = { issuer: issuer.data, own, forged, milliseconds: size.step }
  const measuring = fork(child, {
    // A young generation so large that nothing is collected while bytes are counted.
    execArgv: ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'],
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: issuer.certificate.path },
  })
  measuring.send(material)
  const [results] = (await once(measuring, 'message')) as [readonly StepResult[]]
  return table(
    ['', 'ns per call, median', 'p99', 'bytes on the heap per call'],
    results.map(({ name, median, p99, bytes }) => [name, figure(median), figure(p99), figure(bytes)]),
  )
}
